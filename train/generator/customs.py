"""The customs of one document: how it writes dates, times, numbers and money.

    customs = Customs(rng, "de")     drawn once for a document, then used for all of its values
    customs.date(day) / .time(h, m) / .number(value, places) / .money(value)  -> str
"""
import datetime

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
SHORT_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "de": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "es": "ene. feb. mar. abr. may. jun. jul. ago. sept. oct. nov. dic.",
    "it": "gen. feb. mar. apr. mag. giu. lug. ago. set. ott. nov. dic.",
}
WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
}
MONTHS, SHORT_MONTHS, WEEKDAYS = (
    {lang: words.split() for lang, words in table.items()} for table in (MONTHS, SHORT_MONTHS, WEEKDAYS))

# d, m: bare; dd, mm: two digits; y, yy: year in four, two digits; mon, mo, moc: month long, short,
# short without its dot; wd, w: weekday long, short; th: day with its ordinal.
DATE_STYLES = {
    "en": [("{y}-{mm}-{dd}", 12), ("{dd}/{mm}/{y}", 9), ("{mm}/{dd}/{y}", 11), ("{mon} {d}, {y}", 12),
           ("{d} {mon} {y}", 10), ("{moc} {d}, {y}", 7), ("{dd} {moc} {y}", 5), ("{d} {moc} {y}", 5),
           ("{dd}-{moc}-{y}", 5), ("{m}/{d}/{y}", 5), ("{d}/{m}/{y}", 3), ("{m}/{d}/{yy}", 3), ("{dd}/{mm}/{yy}", 3),
           ("{dd}.{mm}.{y}", 4), ("{y}/{mm}/{dd}", 2), ("{wd}, {mon} {d}, {y}", 3), ("{wd} {d} {mon} {y}", 3),
           ("{wd}, {d} {mon} {y}", 2), ("{w}, {moc} {d}, {y}", 2), ("{w} {d} {moc} {y}", 1), ("{th} {mon} {y}", 4),
           ("{mon} {th}, {y}", 3), ("{th} of {mon} {y}", 1), ("{dd}-{mm}-{y}", 3), ("{mm}-{dd}-{y}", 2),
           ("{dd} {MOC} {y}", 2), ("{dd}{MOC}{yy}", 1), ("{dd}-{MOC}-{yy}", 1), ("{dd}-{moc}-{yy}", 2),
           ("{y}{mm}{dd}", 1), ("{moc}. {d}, {y}", 2), ("{mon} {d}", 2), ("{d} {mon}", 2), ("{w} {d} {moc}", 1),
           ("{wd}, {mon} {d}", 1), ("{MON} {d}, {y}", 1), ("{dd} {mm} {y}", 1), ("{d}.{m}.{yy}", 1),
           ("{th} day of {mon}, {y}", 0.5), ("{moc} {dd} {y}", 1), ("{y}.{mm}.{dd}", 0.5), ("{dd}/{moc}/{y}", 1)],
    "de": [("{dd}.{mm}.{y}", 34), ("{d}. {mon} {y}", 18), ("{d}.{m}.{y}", 8), ("{dd}.{mm}.{yy}", 9),
           ("{y}-{mm}-{dd}", 7), ("{dd}. {mon} {y}", 5), ("{wd}, {d}. {mon} {y}", 4), ("{wd}, {dd}.{mm}.{y}", 2),
           ("{wd}, den {dd}.{mm}.{y}", 2), ("{w}., {dd}.{mm}.{y}", 2), ("{w}, {dd}.{mm}.{yy}", 1), ("{d}. {mo} {y}", 3),
           ("{d}.{m}.{yy}", 3), ("{dd}.{mm}.", 1), ("{d}. {mon}", 2), ("{dd}/{mm}/{y}", 1), ("{d}. {MON} {y}", 1)],
    "fr": [("{dd}/{mm}/{y}", 30), ("{d1} {mon} {y}", 24), ("{wd} {d1} {mon} {y}", 5), ("{dd}.{mm}.{y}", 5),
           ("{dd}-{mm}-{y}", 4), ("{dd}/{mm}/{yy}", 7), ("{y}-{mm}-{dd}", 6), ("{dd} {mon} {y}", 4), ("{d} {mo} {y}", 4),
           ("{d1} {mon}", 2), ("{Wd} {d1} {mon} {y}", 2), ("{dd} {MON} {y}", 1), ("{d}/{m}/{y}", 2)],
    "es": [("{dd}/{mm}/{y}", 28), ("{d} de {mon} de {y}", 24), ("{dd}-{mm}-{y}", 7), ("{dd}.{mm}.{y}", 3),
           ("{d}/{m}/{y}", 6), ("{dd}/{mm}/{yy}", 5), ("{y}-{mm}-{dd}", 6), ("{wd}, {d} de {mon} de {y}", 4),
           ("{d} {moc} {y}", 4), ("{dd}-{moc}-{y}", 2), ("{d} de {mon}", 2), ("{dd} de {Mon} de {y}", 3),
           ("{wd} {d} de {mon} de {y}", 2), ("{d} de {mon} del {y}", 2), ("{d} {mon} {y}", 2)],
    "it": [("{dd}/{mm}/{y}", 30), ("{d} {mon} {y}", 22), ("{dd}.{mm}.{y}", 6), ("{dd}-{mm}-{y}", 5),
           ("{dd}/{mm}/{yy}", 6), ("{y}-{mm}-{dd}", 6), ("{wd} {d} {mon} {y}", 4), ("{d} {moc} {y}", 4),
           ("{dd} {mon} {y}", 3), ("{d}/{m}/{y}", 4), ("{d} {Mon} {y}", 2), ("{d} {mon}", 2), ("{wd}, {d} {mon} {y}", 1)],
}
DATE_STYLES = {lang: ([s for s, _ in rows], [w for _, w in rows]) for lang, rows in DATE_STYLES.items()}

TIME_STYLES = {
    "en": [("{h24}:{mi}", 10), ("{h12}:{mi} {AM}", 8), ("{h12}:{mi} {am}", 5), ("{h12}:{mi}{am}", 4),
           ("{h12}:{mi}{AM}", 2), ("{h12}:{mi} {a_m}", 2), ("{h24}.{mi}", 1), ("{h24}:{mi}:{s}", 2), ("{h24}{mi} hrs", 0.7),
           ("{h24}{mi}h", 0.3)],
    "de": [("{h24}:{mi} Uhr", 8), ("{h24}:{mi}", 10), ("{h24}.{mi} Uhr", 3), ("{h24}:{mi}:{s}", 1), ("{h24}.{mi}", 1)],
    "fr": [("{H}h{mi}", 8), ("{H} h {mi}", 5), ("{h24}:{mi}", 7), ("{H}H{mi}", 1), ("{h24}:{mi}:{s}", 1)],
    "es": [("{h24}:{mi}", 10), ("{h24}:{mi} h", 6), ("{H}:{mi} horas", 2), ("{h12}:{mi} {am}", 2), ("{h24}.{mi} h", 1),
           ("{h24}:{mi}:{s}", 1)],
    "it": [("{h24}:{mi}", 10), ("{h24}.{mi}", 4), ("ore {h24}:{mi}", 1), ("{H}:{mi}", 2), ("{h24}:{mi}:{s}", 1)],
}
TIME_STYLES = {lang: ([s for s, _ in rows], [w for _, w in rows]) for lang, rows in TIME_STYLES.items()}

# (thousands, decimal) and weight
NUMBER_STYLES = {
    "en": [((",", "."), 80), (("", "."), 12), ((" ", "."), 2), (("'", "."), 2), ((".", ","), 5)],
    "de": [((".", ","), 70), (("", ","), 15), ((" ", ","), 4), (("'", "."), 6), (("\u202f", ","), 2), ((",", "."), 3)],
    "fr": [((" ", ","), 50), (("\u202f", ","), 8), (("\u00a0", ","), 12), (("", ","), 15), ((".", ","), 8), ((",", "."), 3)],
    "es": [((".", ","), 72), (("", ","), 16), ((" ", ","), 6), ((",", "."), 8)],
    "it": [((".", ","), 75), (("", ","), 18), (("'", ","), 2), ((",", "."), 5)],
}

# code, symbols, word in the plural
CURRENCIES = {
    "USD": (["$", "$", "$", "US$"], {"en": "dollars", "de": "Dollar", "fr": "dollars", "es": "dólares", "it": "dollari"}),
    "EUR": (["€"], {"en": "euros", "de": "Euro", "fr": "euros", "es": "euros", "it": "euro"}),
    "GBP": (["£"], {"en": "pounds"}), "CHF": (["CHF", "Fr.", "SFr."], {"de": "Franken", "fr": "francs"}),
    "INR": (["₹", "Rs.", "Rs "], {"en": "rupees"}), "JPY": (["¥", "JP¥"], {"en": "yen"}), "AUD": (["A$", "$", "AU$"], {}),
    "CAD": (["C$", "$", "CA$"], {}), "SEK": (["kr", "SEK"], {}), "NOK": (["kr"], {}), "DKK": (["kr."], {}),
    "PLN": (["zł"], {}), "CZK": (["Kč"], {}), "SGD": (["S$"], {}), "HKD": (["HK$"], {}), "NZD": (["NZ$"], {}),
    "ZAR": (["R", "R "], {"en": "rand"}), "BRL": (["R$"], {}), "MXN": (["MX$", "$"], {"es": "pesos"}), "CNY": (["¥", "RMB "], {}),
    "KRW": (["₩"], {}), "TRY": (["₺", "TL"], {}), "AED": (["AED "], {}), "MYR": (["RM", "RM "], {}), "PHP": (["₱"], {}),
    "THB": (["฿"], {}), "NGN": (["₦"], {}), "KES": (["KSh "], {}), "ILS": (["₪"], {}), "HUF": (["Ft"], {}), "ARS": (["$"], {"es": "pesos"}),
    "COP": (["$"], {"es": "pesos"}), "CLP": (["$"], {"es": "pesos"}), "PEN": (["S/", "S/."], {"es": "soles"}),
}
USUAL = {
    "en": (["USD", "GBP", "EUR", "INR", "AUD", "CAD", "CHF"], [40, 20, 15, 6, 5, 5, 2]),
    "de": (["EUR", "CHF", "USD"], [85, 12, 3]), "fr": (["EUR", "CHF", "CAD", "USD"], [82, 8, 5, 3]),
    "es": (["EUR", "MXN", "USD", "ARS", "COP", "CLP", "PEN"], [68, 9, 7, 4, 4, 4, 4]), "it": (["EUR", "CHF", "USD"], [93, 5, 2]),
}
# before: symbol before; code: ISO code; word: the currency's name. Weights.
MONEY_STYLES = {
    "en": [("{s}{n}", 52), ("{n}", 14), ("{c} {n}", 8), ("{n} {c}", 9), ("{s} {n}", 4), ("{n} {s}", 3), ("{n}{s}", 2),
           ("{n} {w}", 2), ("{c}{n}", 2), ("{s}{n} {c}", 2)],
    "de": [("{n} {s}", 40), ("{n}{s}", 6), ("{n}", 16), ("{n} {c}", 18), ("{c} {n}", 8), ("{s} {n}", 7), ("{n}\u00a0{s}", 4), ("{n} {w}", 3)],
    "fr": [("{n} {s}", 48), ("{n}{s}", 8), ("{n}", 14), ("{n} {c}", 10), ("{n}\u00a0{s}", 12), ("{n} {w}", 4), ("{s} {n}", 2)],
    "es": [("{n} {s}", 42), ("{n}{s}", 10), ("{n}", 14), ("{n} {c}", 10), ("{s}{n}", 8), ("{s} {n}", 5), ("{n} {w}", 4)],
    "it": [("{s} {n}", 30), ("{n} {s}", 26), ("{n}{s}", 6), ("{n}", 16), ("{c} {n}", 5), ("{n} {c}", 5), ("{s}{n}", 6), ("{n} {w}", 4)],
}
BIG_UNITS = {
    "en": [(1e9, ["B", "bn", " billion", " bn", "B", " billion"]), (1e6, ["M", "m", " million", " mn", "M", " million"]), (1e3, ["K", "k"])],
    "de": [(1e9, [" Mrd.", " Milliarden", " Mrd"]), (1e6, [" Mio.", " Millionen", " Mio"]), (1e3, [" Tsd.", "T"])],
    "fr": [(1e9, [" milliards", " Md", " Mds"]), (1e6, [" millions", " M", "M"]), (1e3, [" k", "k"])],
    "es": [(1e9, [" mil millones", " MM"]), (1e6, [" millones", " M", " mill."]), (1e3, [" mil", "K"])],
    "it": [(1e9, [" miliardi", " mld"]), (1e6, [" milioni", " mln", " Mln"]), (1e3, [" mila", "k"])],
}


def pick(rng, rows):
    """One of [(value, weight), ...]."""
    values, weights = zip(*rows)
    return rng.choices(values, weights)[0]


def ordinal(day):
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


class Customs:
    """Date, time, number and money styles of one document, and the day it was written; all drawn from `rng`."""

    def __init__(self, rng, lang, country="US"):
        self.rng, self.lang = rng, lang
        self.today = self.last_hour = self.last_year = None
        self.date_style = rng.choices(*DATE_STYLES[lang])[0]
        self.time_style = rng.choices(*TIME_STYLES[lang])[0]
        self.loose = rng.random() < 0.08        # a document that mixes its styles
        self.thousands, self.decimal = pick(rng, NUMBER_STYLES[lang])
        self.indian = lang == "en" and country == "IN" and rng.random() < 0.6 and self.thousands == ","
        self.currency = self._currency(country)
        symbols, words = CURRENCIES[self.currency]
        self.symbol = rng.choice(symbols)
        self.word = words.get(lang, self.currency)
        self.money_style = pick(rng, MONEY_STYLES[lang])
        self.cents = rng.choices([2, 0, None], [78, 8, 14])[0]      # None: only where there are cents
        self.percent_style = rng.choices(["%", " %", " percent" if lang == "en" else " %"], [80, 14, 3])[0]
        self.dash_cents = rng.random() < (0.12 if lang == "de" else 0.01)

    def _currency(self, country):
        rng = self.rng
        if rng.random() < 0.05:
            return rng.choice(list(CURRENCIES))
        home = {"IN": "INR", "GB": "GBP", "AU": "AUD", "CA": "CAD", "CH": "CHF"}.get(country)
        if home and rng.random() < 0.6:
            return home
        return rng.choices(*USUAL[self.lang])[0]

    # ---- dates ----------------------------------------------------------------------------

    def day(self, era=None):
        """A date. All of a document lie around its own day, births long before; see sheets.ERAS."""
        rng = self.rng
        if self.today is None:
            first = 2016 if rng.random() < 0.85 else 1994
            self.today = datetime.date(first, 1, 1) + datetime.timedelta(days=rng.randrange((2030 - first) * 365))
        if era == "birth":
            days = -rng.randint(1, 90 * 365) if rng.random() < 0.15 else -rng.randint(18 * 365, 80 * 365)
        elif rng.random() < 0.03:
            days = rng.randint(-3000, 1500)
        elif era == "after":
            days = rng.choice([rng.randint(1, 45), rng.randint(1, 400), rng.randint(1, 1500)])
        elif era == "before":
            days = -rng.choice([0, rng.randint(0, 30), rng.randint(0, 400)])
        else:
            days = rng.choice([rng.randint(-40, 40), rng.randint(-10, 10), rng.randint(-400, 300)])
        return self.today + datetime.timedelta(days=days)

    def year(self, era=None):
        """A year; an "after" follows the last "before" (a job from 2012 to 2017)."""
        rng = self.rng
        if era == "after" and self.last_year is not None:
            return self.last_year + rng.choice([0, 1, 2, 3, rng.randint(1, 12)])
        low, high = rng.choices([(2005, 2028), (1970, 2005), (1890, 1970)], [80, 15, 5])[0]
        year = rng.randint(low, high)
        if era == "before":
            self.last_year = year
        return year

    def hour(self, era=None):
        """(hour, minute); an "after" lies behind the last "before" where the day allows."""
        rng = self.rng
        hour = rng.choice([rng.randint(7, 20), rng.randint(0, 23)])
        if era == "after" and self.last_hour is not None and self.last_hour < 23:
            hour = min(23, self.last_hour + rng.choice([1, 1, 2, 3, 8]))
        elif era == "before":
            self.last_hour = hour
        return hour, rng.choice([0, 0, 30, 15, 45, rng.randint(0, 59), rng.randint(0, 59)])

    def date(self, day, style=None):
        style = style or (self.rng.choices(*DATE_STYLES[self.lang])[0] if self.loose and self.rng.random() < 0.5
                          else self.date_style)
        lang, m = self.lang, day.month - 1
        month, short, weekday = MONTHS[lang][m], SHORT_MONTHS[lang][m], WEEKDAYS[lang][day.weekday()]
        clean = short.rstrip(".")
        return style.format(
            d=day.day, dd=f"{day.day:02d}", m=day.month, mm=f"{day.month:02d}", y=f"{day.year:04d}", yy=f"{day.year % 100:02d}",
            mon=month, mo=short, moc=clean, MOC=clean.upper(), MON=month.upper(), Mon=month.capitalize(),
            wd=weekday, Wd=weekday.capitalize(), w=weekday[:2] if lang == "de" else weekday[:3],
            th=ordinal(day.day), d1="1er" if day.day == 1 else day.day)

    def time(self, hour, minute):
        style = self.time_style if not self.loose else self.rng.choices(*TIME_STYLES[self.lang])[0]
        half = "a" if hour < 12 else "p"
        text = style.format(**{
            "h24": f"{hour:02d}", "H": hour, "h12": hour % 12 or 12, "mi": f"{minute:02d}", "s": f"{self.rng.randrange(60):02d}",
            "AM": half.upper() + "M", "am": half + "m", "a_m": half + ".m."})
        if minute == 0 and "12" not in style and ":00 " in text and self.lang == "en" and self.rng.random() < 0.4:
            text = text.replace(":00", "", 1)
        return text

    # ---- numbers and money ------------------------------------------------------------------

    def number(self, value, places=0):
        whole, _, part = f"{abs(value):.{places}f}".partition(".")
        if self.indian and len(whole) > 3:
            head, groups = whole[:-3], [whole[-3:]]
            while head:
                groups.insert(0, head[-2:])
                head = head[:-2]
            whole = ",".join(groups)
        elif self.thousands:
            whole = f"{int(whole):,}".replace(",", self.thousands)
        return ("-" if value < 0 else "") + whole + (self.decimal + part if part else "")

    def money(self, value, style=None, cents=True):
        rng = self.rng
        style = style or (pick(rng, MONEY_STYLES[self.lang]) if self.loose and rng.random() < 0.5 else self.money_style)
        places = self.cents
        if places is None:
            places = 0 if value == int(value) else 2
        if self.currency in ("JPY", "KRW", "HUF", "CLP", "COP") or not cents:
            places = 0
        number = self.number(abs(value), places)
        if self.dash_cents and places == 2 and value == int(value):
            number = self.number(abs(value), 0) + self.decimal + rng.choice(["-", "--", "–"])
        text = style.format(s=self.symbol.strip() if " {n}" in style else self.symbol, n=number, c=self.currency, w=self.word).strip()
        if value < 0:
            return rng.choices(["-" + text, "(" + text + ")", "– " + text, text + "-"], [70, 12, 6, 6])[0]
        return text

    def big_money(self, value):
        """An amount in thousands, millions or billions, e.g. "$22.1B", "4,5 Mio. €"."""
        rng = self.rng
        for size, units in BIG_UNITS[self.lang]:
            if value >= size:
                break
        scaled = value / size
        number = f"{scaled:.{rng.choice([0, 1, 1, 2])}f}".replace(".", self.decimal)
        text = number + rng.choice(units)
        symbol = self.symbol.strip()
        if self.lang == "en":
            return rng.choices([symbol + text, f"{self.currency} {text}", f"{text} {self.word}"], [80, 10, 10])[0]
        name = rng.choice([symbol, self.currency, self.word])
        if self.lang in ("fr", "es", "it") and text.endswith(("milliards", "millions", "millones", "miliardi", "milioni")):
            name = {"fr": "d'" if name[:1].lower() in "aeo" else "de ", "es": "de ", "it": "di "}[self.lang] + name
        return f"{text} {name}"

    def percent(self, value, places):
        return f"{value:.{places}f}".replace(".", self.decimal) + self.percent_style
