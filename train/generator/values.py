"""Draws values of every sheet type.

    values = Values(seed)                         owns the name pools; one for a generator
    voice = values.voice(rng, "de")               the customs and places of one document
    voice.draw(Type("money", ("5", "90")))        -> str
    voice.shorten("money", "$1,200.00")           -> another form of the value, or None

Names and addresses come from Faker, kept in pools of up to POOL values that grow as they are used, because Faker
itself is slow. All other words come from tables/*.txt: one value a line, `name.lang.txt`, else `name.txt`.
"""
import re
import string
import unicodedata
import zlib
from functools import lru_cache, partial
from pathlib import Path

from faker import Faker
from faker.providers.address.it_IT import Provider as ItalianAddress

from .customs import MONTHS, SHORT_MONTHS, WEEKDAYS, Customs

POOL, CHUNK = 3000, 150
TABLES = Path(__file__).parent / "tables"

# Where the people and places of a document come from, by its language.
LOCALES = {
    "en": (["en_US", "en_GB", "en_IN", "en_AU", "en_CA", "en_IE", "en_NZ"], [48, 20, 10, 6, 7, 2, 2]),
    "de": (["de_DE", "de_AT", "de_CH"], [78, 11, 11]),
    "fr": (["fr_FR", "fr_CH", "fr_CA", "fr_BE"], [80, 7, 8, 5]),
    "es": (["es_ES", "es_MX", "es_AR", "es_CO", "es_CL"], [62, 16, 8, 8, 6]),
    "it": (["it_IT", "it_CH"], [97, 3]),
}
FOREIGN = ["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "sv_SE", "pt_BR", "pt_PT", "tr_TR", "cs_CZ", "da_DK", "fi_FI",
           "no_NO", "hr_HR", "hu_HU", "ro_RO", "en_IN", "en_US", "en_GB", "id_ID"]
AFTER_NAMES = (", PhD", " Jr.", ", MD", " III", ", MBA", ", CPA", ", LL.M.")
UPPER = string.ascii_uppercase
CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


@lru_cache(maxsize=None)
def table(name, lang="en"):
    """The lines of tables/name.lang.txt, or of tables/name.txt where the language has none of its own."""
    path = TABLES / f"{name}.{lang}.txt"
    if not path.exists():
        path = TABLES / f"{name}.txt"
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@lru_cache(maxsize=None)
def _faker(locale, weighted=False):
    """Names are drawn evenly, as rare ones teach more; addresses by weight, as most of them are plain."""
    return Faker(locale, use_weighting=weighted or locale == "es_CL")       # the names of es_CL cannot do without


@lru_cache(maxsize=None)
def _italian_cities():
    return sorted(ItalianAddress.cities)


def ascii_fold(text):
    """Lower-case letters and digits only, umlauts written out: for e-mail and host names."""
    text = text.lower()
    for a, b in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("&", " "), ("ø", "o"), ("å", "a"), ("ł", "l"), ("ı", "i")):
        text = text.replace(a, b)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


class Values:
    """Pools of Faker values, by (kind, locale). Deterministic for a seed and an order of draws."""

    def __init__(self, seed):
        self.seed = seed
        self.pools = {}

    def voice(self, rng, lang):
        return Voice(self, rng, lang)

    def pooled(self, rng, kind, locale):
        """A value of the Faker provider `kind`; the pool grows by a chunk for every chunk of draws."""
        key = (kind, locale)
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = [[], 0]
        values, draws = pool
        if len(values) < POOL and draws >= len(values):
            self._grow(key, values)
        pool[1] += 1
        return values[int(rng.random() * len(values))]

    def _grow(self, key, values):
        kind, locale = key
        fake = _faker(locale, kind in ("address", "street_address", "company"))
        fake.seed_instance(zlib.crc32(f"{self.seed}/{kind}/{locale}/{len(values)}".encode()))
        make = getattr(fake, kind, None) or getattr(_faker("en_US"), kind)
        if key == ("city", "it_IT"):        # Faker keeps these in a set, whose order differs from run to run
            make = partial(fake.random_element, _italian_cities())
        for _ in range(CHUNK):
            values.append(" ".join(make().replace("\n", ", ").split()))


class Voice:
    """Draws the values of one document. `indent` may be set before a draw: addresses then may span lines, which begin with it."""

    def __init__(self, values, rng, lang):
        self.values, self.rng, self.lang = values, rng, lang
        self.locale = rng.choices(*LOCALES[lang])[0]
        self.customs = Customs(rng, lang, self.locale[3:])
        self.last_first = rng.random() < 0.05
        self.multiline = rng.random() < 0.8
        self.indent = None      # or white space

    def draw(self, kind, era=None):
        """A value of the Type `kind`, a non-empty str; `era` (sheets.ERAS) places dates and times."""
        if kind.name in ("date", "datetime", "time", "year"):
            return getattr(self, "_" + kind.name)(era)
        return getattr(self, "_" + kind.name)(*kind.args)

    def pool(self, kind, locale=None):
        return self.values.pooled(self.rng, kind, locale or self.locale)

    def word(self, name):
        rows = table(name, self.lang)
        return rows[int(self.rng.random() * len(rows))]

    def pattern(self, text):
        """# digit, @ upper-case letter, * letter or digit; all else stands for itself."""
        rng, out = self.rng, []
        for char in text:
            if char == "#":
                char = "0123456789"[int(rng.random() * 10)]
            elif char == "@":
                char = UPPER[int(rng.random() * 26)]
            elif char == "*":
                char = CODE[int(rng.random() * 34)]
            out.append(char)
        return "".join(out)

    # ---- names ----------------------------------------------------------------------------

    def _home(self):
        """A locale for a name: mostly the document's own."""
        return self.locale if self.rng.random() < 0.85 else self.rng.choice(FOREIGN)

    def _first_name(self, locale=None):
        return self.pool("first_name", locale or self._home())

    def _last_name(self, locale=None):
        return self.pool("last_name", locale or self._home())

    def _person(self):
        rng, locale = self.rng, self._home()
        if rng.random() < 0.06:
            return self.word("names_world")
        first, last = self._first_name(locale), self._last_name(locale)
        shape = rng.random()
        if self.last_first and shape < 0.8:
            return f"{last}, {first}"
        if shape < 0.74:
            return f"{first} {last}"
        if shape < 0.80:
            return f"{first} {rng.choice(UPPER)}. {last}"
        if shape < 0.84:
            return f"{first[0]}. {last}"
        if shape < 0.90:
            return f"{self.word('titles')} {first} {last}"
        if shape < 0.93:
            return f"{self.word('titles')} {last}"
        if shape < 0.95:
            return f"{first} {last}-{self._last_name(locale)}"
        if shape < 0.97:
            return f"{first} {self._first_name(locale)} {last}"
        if shape < 0.98:
            return f"{last} {first}"
        if shape < 0.99:
            return f"{first} {last}{rng.choice(AFTER_NAMES)}"
        return f"{first} {last}".upper()

    def _legal(self):
        return self.word("legal_forms")

    def _company(self):
        rng = self.rng
        shape = rng.random()
        if shape < 0.22:
            name = self.pool("company")
            return name if rng.random() < 0.95 else name.upper()
        name = self._trade_name(shape)
        roll = rng.random()
        if roll < 0.55:
            name += rng.choices([" ", ", "], [8, 1])[0] + self._legal()
        if rng.random() < 0.04:
            name = name.upper()
        return name

    def _trade_name(self, shape):
        rng = self.rng
        if shape < 0.38:
            return f"{self._last_name()} {self.word('company_tails')}"
        if shape < 0.52:
            return f"{self.word('company_heads')} {self.word('company_tails')}"
        if shape < 0.62:
            return self.word("coin_heads") + self.word("coin_tails")
        if shape < 0.68:
            return f"{self._last_name()} {rng.choice(['&', '&', 'and' if self.lang == 'en' else '+', '-'])} {self._last_name()}"
        if shape < 0.73:
            return f"{self._last_name()} & {self.word('and_sons')}"
        if shape < 0.80:
            return f"{self._city()} {self.word('company_tails')}"
        if shape < 0.85 and self.lang == "en":
            return f"The {self.word('company_heads')} {self.word('company_tails')}"
        if shape < 0.89:
            return "".join(rng.choices(UPPER, k=rng.choice([2, 3, 3, 3, 4]))) + " " + self.word("company_tails")
        if shape < 0.92:
            return "".join(rng.choices(UPPER, k=rng.choice([3, 3, 4])))
        if shape < 0.95:
            return f"{self._first_name()}{rng.choice([chr(39) + 's', chr(8217) + 's', ''])} {self.word('company_tails')}"
        if shape < 0.97:
            return self.word("coin_heads") + self.word("coin_tails") + rng.choice([".com", ".io", ".ai", " 24", "24", " One", " 360"])
        return f"{self.word('company_heads')} {self.word('company_heads')} {self.word('company_tails')}"

    def _organisation(self):
        rng = self.rng
        shape = rng.random()
        if shape < 0.35:
            return self._company()
        if shape < 0.5:
            return self._university()
        return self.word("organisations").format(city=self._city(), country=self._country(), last=self._last_name())

    def _product(self):
        rng = self.rng
        shape = rng.random()
        name = self.word("products")
        if shape < 0.45:
            return name
        if shape < 0.60:
            return f"{name} {self.word('product_sizes')}"
        if shape < 0.68:
            return f"{name}, {self.word('colours')}"
        if shape < 0.74:
            return f"{name} {self._model()}"
        if shape < 0.82:
            return f"{self._brand()} {name}"
        if shape < 0.90:
            return f"{self._brand()} {self._model()}"
        if shape < 0.94:
            return f"{name} ({self.word(rng.choice(['product_sizes', 'colours']))})"
        if shape < 0.97:
            return name.title() if self.lang == "en" else name
        return name.upper()

    def _model(self):
        rng = self.rng
        return rng.choice([lambda: self.pattern(rng.choice(["@@-###", "@##", "@@####", "@###@", "##@", "@-##", "@@ ###", "###", "####",
                                                            "@@@-####", "@#", "@@##-#", "@##-@"])),
                           lambda: rng.choice(["Pro", "Max", "Mini", "Plus", "Lite", "Air", "Ultra", "One", "Go", "SE", "XL", "Neo", "Evo",
                                               "Classic", "Premium", "Eco", "Prime"]) + rng.choice(["", "", f" {rng.randint(2, 20)}"]),
                           lambda: rng.choice(["Series ", "Mk ", "v", "Gen ", "Type "]) + str(rng.randint(1, 9))])()

    def _brand(self):
        rng = self.rng
        shape = rng.random()
        if shape < 0.6:
            name = self.word("coin_heads") + self.word("coin_tails")
            return name if rng.random() < 0.9 else name.upper()
        if shape < 0.85:
            return self._last_name()
        return "".join(rng.choices(UPPER, k=3))

    def _job(self):
        rng = self.rng
        name = self.word("jobs")
        if self.lang == "en":
            roll = rng.random()
            if roll < 0.12:
                name = rng.choice(["Senior", "Junior", "Lead", "Assistant", "Head", "Chief", "Deputy", "Principal", "Trainee", "Associate"]) + " " + name
            elif roll < 0.16:
                name = f"{name}, {rng.choice(['EMEA', 'North America', 'Operations', 'Finance', 'R&D', 'APAC', 'Public Sector', 'Night Shift', 'Retail'])}"
        return name if rng.random() < 0.93 else name.lower()

    def _username(self):
        rng = self.rng
        first, last = ascii_fold(self._first_name()), ascii_fold(self._last_name())
        return rng.choice([f"{first}.{last}", f"{first[0]}{last}", f"{first}{rng.randint(1, 999)}", f"{last}_{first}", f"{first}_{rng.randint(70, 99)}",
                           f"{last}{first[0]}", f"{first[:3]}{last[:3]}", f"{first}-{last}"]) or "user1"

    # ---- places ---------------------------------------------------------------------------

    def _city(self):
        return self.pool("city") if self.rng.random() < 0.6 else self.word("cities")

    def _street(self):
        return self.pool("street_address") if self.rng.random() < 0.8 else self.pool("street_name")

    def _postcode(self):
        return self.pool("postcode")

    def _state(self):
        return self.word("states")

    def _country(self):
        return self.word("countries")

    def _address(self):
        rng = self.rng
        shape = rng.random()
        if shape < 0.5:
            parts = self.pool("address").split(", ")
        else:
            code, city = self._postcode(), self._city()
            if self.lang == "en":
                tail = f"{city}, {self.word('states')} {code}" if self.locale == "en_US" else f"{city} {code}"
            else:
                tail = f"{rng.choice(['', '', '', 'D-', 'F-']) if self.lang in ('de', 'fr') else ''}{code} {city}"
            parts = [self.pool("street_address").replace(", ", " "), tail]
            for more in (0.82, 0.93):
                if shape > more:
                    parts.insert(rng.randrange(2), self.word("address_lines").format(n=rng.randint(1, 60), a=rng.choice(UPPER)))
            if shape > 0.75:
                parts.append(self._country())
        if self.indent is not None and self.multiline:
            end = rng.choice(["\n", "\n", "\n", ",\n"]) + self.indent
            return parts[0] + "".join((end if i == 0 or rng.random() < 0.8 else ", ") + part for i, part in enumerate(parts[1:]))
        return rng.choices([", ", " ", " - ", " | "], [90, 5, 3, 1])[0].join(parts)

    # ---- contact --------------------------------------------------------------------------

    def _domain(self):
        rng = self.rng
        name = ascii_fold(rng.choice([self._last_name, lambda: self.word("coin_heads") + self.word("coin_tails"),
                                      lambda: f"{self.word('company_heads')} {self.word('company_tails')}"])()) or "example"
        if rng.random() < 0.6:
            name = name.replace("-", "")
        return name + "." + self.word("top_domains")

    def _email(self):
        rng = self.rng
        roll = rng.random()
        if roll < 0.3:
            return f"{self.word('mailboxes')}@{self._domain()}"
        if roll < 0.45:
            return f"{self._username()}@{rng.choice(['gmail.com', 'outlook.com', 'yahoo.com', 'icloud.com', 'gmx.de', 'web.de', 'orange.fr', 'libero.it', 'hotmail.com', 'proton.me'])}"
        text = f"{self._username()}@{self._domain()}"
        return text if rng.random() < 0.95 else text.title()

    def _phone(self):
        rng = self.rng
        if rng.random() < 0.7:
            return self.pool("phone_number")
        return self.pattern(rng.choice({
            "en": ["(###) ###-####", "###-###-####", "+1 ### ### ####", "+44 20 #### ####", "0### ### ####", "+91 ##### #####", "+1-###-###-####",
                   "###.###.####", "020 #### ####", "1-800-###-####", "+61 4## ### ###", "(0##) #### ####", "07### ######", "+1 (###) ###-#### ext. ###"],
            "de": ["0## / ### ## ##", "+49 (0)## ######", "0###-#######", "+49 1## #######", "+41 ## ### ## ##", "0### ######-##", "+43 # #######", "(0##) ### ## ###"],
            "fr": ["0# ## ## ## ##", "+33 # ## ## ## ##", "0#.##.##.##.##", "+33 (0)# ## ## ## ##", "0#########", "+41 ## ### ## ##"],
            "es": ["9## ## ## ##", "+34 9## ### ###", "6## ### ###", "+52 55 #### ####", "91 ### ## ##", "(55) #### ####", "+34 6########"],
            "it": ["0# #######", "+39 0# ########", "3## #######", "+39 3## ### ####", "0## ######", "0##/#######"],
        }[self.lang]))

    def _url(self):
        rng = self.rng
        host = self._domain()
        return rng.choices(["www." + host, "https://" + host, "https://www." + host, "http://www." + host, host, f"https://{host}/{self._slug()}",
                            f"{host}/{self._slug()}", f"https://{host}/{self._slug()}?id={rng.randint(10, 99999)}"],
                           [30, 15, 18, 4, 12, 12, 6, 3])[0]

    def _slug(self):
        return "/".join(ascii_fold(self.word("slugs")) for _ in range(self.rng.choice([1, 1, 2])))

    # ---- time -----------------------------------------------------------------------------

    def _date(self, era=None):
        return self.customs.date(self.customs.day(era))

    def _time(self, era=None):
        return self.customs.time(*self.customs.hour(era))

    def _datetime(self, era=None):
        rng, day = self.rng, self.customs.day(era)
        hour, minute = self.customs.hour(era)
        roll = rng.random()
        if roll < 0.18:
            return f"{day.isoformat()}T{hour:02d}:{minute:02d}:{rng.randrange(60):02d}{rng.choice(['Z', '', '+00:00', '+02:00', '.' + str(rng.randint(100, 999)) + 'Z', '-05:00'])}"
        if roll < 0.34:
            return f"{day.isoformat()} {hour:02d}:{minute:02d}{rng.choice(['', f':{rng.randrange(60):02d}', ' UTC'])}"
        joint = {"en": [" ", ", ", " at ", " ", " - "], "de": [" ", ", ", " um ", ", "], "fr": [" ", " à ", ", "],
                 "es": [" ", " a las ", ", "], "it": [" ", " alle ore ", ", ", " alle "]}[self.lang]
        return self.customs.date(day) + rng.choice(joint) + self.customs.time(hour, minute)

    def _year(self, era=None):
        return str(self.customs.year(era))

    def _month(self):
        rng, m, year = self.rng, self.rng.randrange(12), self.rng.randint(2014, 2028)
        name = MONTHS[self.lang][m]
        joint = " de " if self.lang == "es" else " "
        return rng.choices([name, name + joint + str(year), f"{m + 1:02d}/{year}", f"{year}-{m + 1:02d}", f"{SHORT_MONTHS[self.lang][m]} {year}",
                            f"{m + 1:02d}/{year % 100:02d}", name.capitalize() + joint + str(year)], [25, 35, 12, 7, 10, 5, 6])[0]

    def _weekday(self):
        rng = self.rng
        name = rng.choice(WEEKDAYS[self.lang])
        return rng.choices([name, name.capitalize(), name[:3], name[:2] if self.lang == "de" else name[:3].upper()], [60, 25, 10, 5])[0]

    def _duration(self):
        rng = self.rng
        units = {"en": [("minute", 5, 120), ("hour", 1, 72), ("day", 1, 90), ("week", 1, 26), ("month", 1, 48), ("year", 1, 30)],
                 "de": [("Minuten", 5, 120), ("Stunden", 2, 72), ("Tage", 2, 90), ("Wochen", 2, 26), ("Monate", 2, 48), ("Jahre", 2, 30)],
                 "fr": [("minutes", 5, 120), ("heures", 2, 72), ("jours", 2, 90), ("semaines", 2, 26), ("mois", 1, 48), ("ans", 2, 30)],
                 "es": [("minutos", 5, 120), ("horas", 2, 72), ("días", 2, 90), ("semanas", 2, 26), ("meses", 2, 48), ("años", 2, 30)],
                 "it": [("minuti", 5, 120), ("ore", 2, 72), ("giorni", 2, 90), ("settimane", 2, 26), ("mesi", 2, 48), ("anni", 2, 30)]}
        unit, low, high = rng.choice(units[self.lang])
        count = rng.randint(low, high)
        if self.lang == "en":
            roll = rng.random()
            unit += "s" if count != 1 else ""
            if roll < 0.06 and count < 13:
                return ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"][count - 1] + (
                    f" ({count}) " if rng.random() < 0.4 else " ") + unit
            if roll < 0.10:
                return f"{count} {'business ' if unit.startswith('day') else 'full '}{unit}"
        if rng.random() < 0.07:
            return rng.choice([f"{rng.randint(1, 9)}h {rng.randint(1, 59):02d}m", f"{rng.randint(1, 9)}:{rng.randint(0, 59):02d} h", f"{rng.randint(5, 90)} min",
                               f"{rng.randint(0, 9):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}", f"{rng.randint(1, 9)}.5 h"])
        return f"{count} {unit}"

    # ---- numbers ----------------------------------------------------------------------------

    def _bounds(self, low, high):
        """A value between the bounds, low values more often where the bounds lie far apart."""
        rng, low, high = self.rng, float(low), float(high)
        if low > 0 and high / low > 50 and rng.random() < 0.5:
            return low * (high / low) ** rng.random()
        return rng.uniform(low, high)

    def _integer(self, low=1, high=1000):
        return self.customs.number(round(self._bounds(low, high))) if float(high) >= 1000 else str(round(self._bounds(low, high)))

    def _decimal(self, low=0, high=100):
        places = self.rng.choice([1, 1, 2, 2, 3])
        return self.customs.number(self._bounds(low, high), places)

    def _percent(self, low=None, high=100):
        rng = self.rng
        places = rng.choice([0, 0, 0, 1, 1, 2])
        if low is not None:
            return self.customs.percent(rng.uniform(float(low), float(high)), places)
        value = rng.choice([rng.uniform(0.1, 10), rng.uniform(1, 30), rng.uniform(1, 100), rng.choice([5, 7, 10, 19, 20, 21, 22, 25, 50, 100])])
        if rng.random() < 0.01:
            value = -value
        if rng.random() < 0.015 and self.lang == "en" and value > 0:
            return "+" + self.customs.percent(value, places)
        return self.customs.percent(max(value, 1) if not places and value > 0 else value, places)

    def _money(self, low=1, high=20000):
        rng = self.rng
        value = self._bounds(low, high)
        roll = rng.random()
        if roll < 0.25:
            value = float(round(value)) or 1.0
        elif roll < 0.35 and value > 100:
            value = float(round(value, -1))
        elif roll < 0.5:
            value = int(value) + rng.choice([0.99, 0.95, 0.5, 0.9, 0.25, 0.49])
        value = round(value, 2)
        if rng.random() < 0.012:
            value = -value
        return self.customs.money(value)

    def _bigmoney(self):
        return self.customs.big_money(self.rng.choice([10 ** self.rng.uniform(6, 9), 10 ** self.rng.uniform(9, 11.5), 10 ** self.rng.uniform(4.5, 6)]))

    def _currency(self):
        return self.customs.currency if self.rng.random() < 0.8 else self.customs.word

    def _quantity(self, low, high, units=""):
        rng = self.rng
        value = self._bounds(low, high)
        places = 0 if float(high) > 30 and rng.random() < 0.8 else rng.choice([0, 1, 1, 2])
        number = self.customs.number(value, places)
        if float(high) >= 1 and not number.strip("0.,"):
            number = self.customs.number(float(high), places)
        unit = rng.choice(units.split("|")).strip()
        return number + rng.choices([" ", ""], [85, 15])[0] + unit if unit else number

    def _temperature(self):
        rng = self.rng
        number = self.customs.number(rng.uniform(-25, 42), rng.choice([0, 0, 1]))
        return (number if number not in ("-0", "-0,0", "-0.0") else "0") + rng.choice(["°C", " °C", "°C", "°", "°F" if self.lang == "en" else "°C", " C", " degrees" if self.lang == "en" else " °C"])

    # ---- codes ------------------------------------------------------------------------------

    def _ident(self, pattern=None):
        if pattern is None:
            pattern = self.word("ident_patterns")
        return self.pattern(pattern)

    def _iban(self):
        rng = self.rng
        country, length = rng.choice([("DE", 22), ("GB", 22), ("FR", 27), ("ES", 24), ("IT", 27), ("NL", 18), ("CH", 21), ("AT", 20), ("BE", 16), ("IE", 22), ("PL", 28)])
        if self.lang != "en" and rng.random() < 0.75:
            country, length = {"de": ("DE", 22), "fr": ("FR", 27), "es": ("ES", 24), "it": ("IT", 27)}[self.lang]
        body = self.pattern("@@@@" + "#" * (length - 8) if country in ("GB", "NL", "IE") else "#" * (length - 4))
        if country == "IT":
            body = self.rng.choice(UPPER) + body[1:]
        digits = "".join(str(int(char, 36)) for char in body + country + "00")
        text = f"{country}{98 - int(digits) % 97:02d}{body}"
        if rng.random() < 0.65:
            text = " ".join(text[i:i + 4] for i in range(0, len(text), 4))
        return text if rng.random() < 0.95 else text.lower()

    def _bic(self):
        country = self.rng.choice(["DE", "GB", "FR", "ES", "IT", "NL", "CH", "AT", "US", "BE"])
        return self.pattern("@@@@") + country + self.pattern(self.rng.choice(["@@", "##", "@#", "@@XXX", "@@###", "##XXX"]))

    def _vatid(self):
        rng = self.rng
        home = {"en": ["GB### #### ##", "GB#########", "##-#######", "IE#######@", "EU#########", "US##-#######", "##@@@@@####@#@#", "ABN ## ### ### ###"],
                "de": ["DE#########", "DE ### ### ###", "ATU########", "CHE-###.###.### MWST", "##/###/#####"], "fr": ["FR##########" + "#", "FR ## ### ### ###"],
                "es": ["B########", "ESB########", "A-########", "########@", "ESA########"], "it": ["IT###########", "###########", "IT ###########"]}
        if rng.random() < 0.85:
            return self.pattern(rng.choice(home[self.lang]))
        return self.pattern(rng.choice(["NL#########B##", "PL##########", "SE############", "DK########", "BE0#########", "DE#########", "FI########"]))

    def _ip(self):
        rng = self.rng
        if rng.random() < 0.9:
            return ".".join(str(n) for n in (rng.choice([10, 192, 172, rng.randint(1, 223)]), rng.randint(0, 255), rng.randint(0, 255), rng.randint(1, 254)))
        return ":".join(f"{rng.randrange(65536):x}" for _ in range(4)) + "::" + f"{rng.randrange(65536):x}"

    def _mac(self):
        text = self.rng.choice([":", ":", "-"]).join(f"{self.rng.randrange(256):02x}" for _ in range(6))
        return text if self.rng.random() < 0.5 else text.upper()

    def _hex(self, count):
        return f"{self.rng.getrandbits(count * 4):0{count}x}"

    def _uuid(self):
        text = self._hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _hash(self):
        return self._hex(self.rng.choice([7, 8, 12, 32, 40, 40, 64]))

    def _version(self):
        rng = self.rng
        text = ".".join(str(rng.randint(0, 20)) for _ in range(rng.choice([2, 3, 3, 3, 4])))
        return rng.choice(["", "", "v", ""]) + text + rng.choice(["", "", "", "", f"-rc{rng.randint(1, 4)}", "-beta", f"+build.{rng.randint(1, 900)}", "-LTS"])

    def _path(self):
        rng = self.rng
        names = [ascii_fold(self.word("slugs")) for _ in range(rng.randint(1, 3))]
        name = names[-1] + rng.choice([".log", ".txt", ".pdf", ".csv", ".json", ".conf", ".docx", ".yaml", ".py", ".tar.gz", ".xlsx", ""])
        return rng.choices([rng.choice(["/var/log/", "/etc/", "/home/user/", "/opt/", "/srv/data/", "/usr/local/share/", "./", "/tmp/"]) + "/".join(names[:-1] + [name]),
                            rng.choice(["C:\\", "D:\\", "\\\\files01\\"]) + "\\".join(names[:-1] + [name]), "/".join(names[:-1] + [name])], [70, 15, 15])[0]

    def _hostname(self):
        rng = self.rng
        head = rng.choice(["web", "db", "srv", "app", "mail", "node", "edge", "vpn", "gw", "cache", "build", "nas", "api", "proxy", "fw", "host", "worker", "ldap"])
        name = head + rng.choice(["", "-"]) + rng.choice([f"{rng.randint(1, 99):02d}", str(rng.randint(1, 40)), "prod", "staging", "a", f"eu-{rng.randint(1, 4)}"])
        return rng.choice([name, f"{name}.{self._domain()}", f"{name}.internal", f"{name}.local", f"{name}.corp.{self._domain()}"])

    def _isbn(self):
        digits = [9, 7, 8] + [self.rng.randrange(10) for _ in range(9)]
        digits.append(-sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10)
        text = "".join(map(str, digits))
        return text if self.rng.random() < 0.3 else f"{text[:3]}-{text[3]}-{text[4:7]}-{text[7:12]}-{text[12]}"

    def _plate(self):
        return self.pattern(self.rng.choice({"en": ["@@@ ####", "@@## @@@", "@@@-####", "#@@@###", "@@ ## @@ ####", "@@@ ##@", "###-@@@"], "de": ["@-@@ ###", "@@-@ ####", "@@@-@@ ##", "@ @@ ####"],
                                             "fr": ["@@-###-@@"], "es": ["#### @@@", "####@@@"], "it": ["@@ ### @@", "@@###@@"]}[self.lang]))

    def _cardtail(self):
        return self.pattern(self.rng.choice(["####", "####", "**** ####".replace("*", "•"), "XXXX-####", "x####", "...####"]))

    # ---- words ------------------------------------------------------------------------------

    def _skill(self):
        return self.word("skills")

    def _language(self):
        return self.word("languages")

    def _disease(self):
        return self.word("diseases")

    def _drug(self):
        rng, name = self.rng, self.word("drugs")
        roll = rng.random()
        if roll < 0.15:
            return f"{name} {rng.choice([5, 10, 20, 25, 40, 50, 100, 250, 500, 1000])}{rng.choice([' ', ''])}mg"
        return name if roll < 0.8 else name.capitalize()

    def _degree(self):
        return self.word("degrees")

    def _university(self):
        return self.word("universities").format(city=self._city(), last=self._last_name(), state=self._state())

    def _sentence(self):
        return self._filled("sentences")

    def _phrase(self):
        text = self._filled("phrases")
        return text if self.rng.random() < 0.5 else text[0].upper() + text[1:]

    def _filled(self, name):
        """A table line with its {words} drawn."""
        text = self.word(name)
        if "{" not in text:
            return text
        return re.sub(r"\{(\w+)\}", lambda match: str(self.rng.randint(2, 30)) if match[1] == "n" else self.word(match[1]), text)

    def _choice(self, *options):
        return self.rng.choice(options)

    _oneof = _choice

    # ---- other forms ------------------------------------------------------------------------

    def shorten(self, name, value):
        """`value` of type `name` in a shorter form that does not answer for it."""
        rng = self.rng
        words = value.split()
        if name == "person":
            beside = {*table("titles", self.lang), *(mark.strip(", ") for mark in AFTER_NAMES)}
            plain = [word for word in words if not word.endswith(".") and word.strip(",") not in beside] or words
            short = rng.choice([plain[0], plain[-1], "".join(word[0] for word in plain).upper()])
        elif name in ("date", "datetime"):
            short = re.sub(r"[\s,./\-]*(de )?\b(19|20)\d\d\b.*$", "", value) or value[:5]
        elif name in ("money", "bigmoney", "percent", "decimal", "quantity", "integer"):
            digits = re.search(r"\d+", value)
            short = digits[0] if digits else words[0]
        elif name in ("email", "url", "path"):
            short = re.split(r"[@/\\]", value)[0] or value[:6]
        elif name in ("address", "street"):
            short = re.split(r"[,\n]", value)[0]
        elif len(words) > 1:
            short = words[0] if rng.random() < 0.7 else "".join(word[0] for word in words).upper()
        else:
            short = value[: max(2, len(value) // 2)]
        short = short.strip(" ,.-/")
        return short if short and short != value else value[: max(1, len(value) - 2)].strip() or value[:1]
