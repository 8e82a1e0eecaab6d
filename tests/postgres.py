"""A PostgreSQL server of the tests' own (tools/postgres.sh): loopback, a temporary folder, an unprivileged user."""

import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "postgres.sh"


class Postgres:
    """Settings are "name=value" of postgresql.conf. Commits wait for no disk unless `durable`. `follows`: it is a standby of
    that server until promoted."""

    def __init__(self, *settings, durable=False, follows=None):
        self.settings = [*settings, *([] if durable else ["fsync=off"])]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="refractr-postgres-"))
        self.folder.chmod(0o755)
        self.numbers = itertools.count(1)
        self.url = None
        if follows:
            self.url = self.tool("follow", follows.url, *self.settings)
        else:
            self.start()

    def tool(self, *args):
        done = subprocess.run([TOOL, args[0], self.folder, *args[1:]], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self):
        self.url = self.tool("start", *self.settings)

    def start_unseen(self):
        """On no port; the URL of its socket."""
        self.tool("start", *self.settings, "listen_addresses=")
        return f"postgresql://refractr@/postgres?host={self.folder}&port={self.url.rsplit(':', 1)[1].split('/')[0]}"

    def stop(self, mode="fast"):
        """`immediate`: as a crash would."""
        self.tool("stop", mode)

    def kill(self):
        """As if its machine had died: no process of it does anything any more."""
        self.tool("kill")

    def promote(self):
        self.tool("promote")

    def sql(self, text, url=None):
        """Runs SQL of any length; what it answers, a line per row, values separated by |."""
        done = subprocess.run([self.program("psql"), url or self.url, "-qXAt", "-v", "ON_ERROR_STOP=1"], input=text,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def program(self, name):
        folder = subprocess.run([TOOL, "bin"], capture_output=True, text=True, check=True).stdout.strip()
        return os.path.join(folder, name)

    def place(self):
        """URL of a new, empty schema: as good as a database, made in no time."""
        name = f"test{next(self.numbers)}"
        self.sql(f"CREATE SCHEMA {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"

    def database(self):
        """URL of a new, empty database."""
        name = f"test{next(self.numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url.rsplit("/", 1)[0] + "/" + name

    def remove(self):
        subprocess.run([TOOL, "stop", self.folder, "immediate"], capture_output=True, timeout=120)
        shutil.rmtree(self.folder, ignore_errors=True)
