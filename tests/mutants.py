#!/usr/bin/env python3
"""Which small changes of a crate do the Rust tests not notice?

cargo-mutants names the changes (`--list`); to build and test each by itself takes a minute or more. Here a sample of them
is built at once: a function that changes are made to gets a copy of its body for each, and a switch that asks the
environment which one is meant. A first run of every test notes which changes it comes by, so that each change meets only
tests that reach it: those of its own crate first, and of the others what is left. A test that fails has noticed the change
if it fails a second time as well. Some 20 minutes for 500 changes of five crates on two cores.

  scripts/mutants core                   100 of salon-core
  scripts/mutants sfu wire --sample 40
  scripts/mutants --seed 20261202        the same ones again, in all five

Left out is what cannot live behind a switch: what does not compile (as with cargo-mutants), constants and `const fn`, and
functions whose return type is `impl Trait`. So is what is generated: the test that compares it with its source sees any
change.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

CRATES = ["core", "wire", "store", "sfu", "doors"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
# Most tests wait more than they compute.
AT_ONCE = 3 * (os.cpu_count() or 2)
# Seconds after which a test is too slow to be run for each change that it comes by.
TOO_SLOW = 60
# Seconds of tests that a change is given: some are come by in hundreds of tests, none of which looks.
PATIENCE = 150

SWITCH = """
/// Which change of this crate is in force: see tests/mutants.py.
pub(crate) mod mutant_switch {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};
    static CHOSEN: OnceLock<(usize, Option<String>)> = OnceLock::new();
    static REACHED: [AtomicBool; 65536] = [const { AtomicBool::new(false) }; 65536];
    pub(crate) fn is(change: usize) -> bool {
        let (chosen, reached) = CHOSEN.get_or_init(|| {
            let chosen = std::env::var("MUTANT").ok().and_then(|change| change.parse().ok()).unwrap_or(usize::MAX);
            (chosen, std::env::var("MUTANTS_REACHED").ok())
        });
        if let Some(path) = reached && !REACHED[change].swap(true, Ordering::Relaxed) {
            use std::io::Write;
            if let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path) {
                let _ = file.write_all(format!("{change}\\n").as_bytes());
            }
        }
        *chosen == change
    }
}
"""


def say(*words):
    print(*words, flush=True)


def offset(text, place):
    """Where a line and column (from 1, columns in characters) is in a text."""
    start = 0
    for _ in range(place["line"] - 1):
        start = text.index("\n", start) + 1
    return start + place["column"] - 1


def body_of(text, start):
    """Where the `{` of the body of the function is that begins at `start`."""
    depth = 0
    while True:
        if text.startswith("//", start):
            start = text.index("\n", start)
        character = text[start]
        if character == '"':
            start += 1
            while text[start] != '"':
                start += 2 if text[start] == "\\" else 1
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "{" and depth == 0:
            return start
        start += 1


class Tree:
    """A copy of the sources in which the changes are made."""

    def __init__(self, folder):
        self.folder = folder
        # Files that once had changes.
        self.changed = set()
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True, capture_output=True, check=True
        ).stdout.splitlines()
        for name in filter(lambda name: (ROOT / name).is_file(), names):
            self.copy(name, (ROOT / name).read_bytes())
        # The page that the server carries is built, not kept.
        page = ROOT / "web/dist"
        if page.is_dir():
            shutil.copytree(page, folder / "web/dist", dirs_exist_ok=True)

    def copy(self, name, content):
        """Writes what differs: cargo goes by the time of a file."""
        path = self.folder / name
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        shutil.copymode(ROOT / name, path)

    def write(self, mutants):
        """Puts the changes in place of what was there before. Answers with the lines that each takes up."""
        libs = {f"crates/{mutant['crate']}/src/lib.rs" for mutant in mutants}
        lines = {}
        for name in self.changed | libs | {mutant["file"] for mutant in mutants}:
            self.changed.add(name)
            text = (ROOT / name).read_text()
            for start, end, here in self.functions(text, [mutant for mutant in mutants if mutant["file"] == name]):
                open_ = body_of(text, start)
                body = text[open_:end]
                copies = "{ "
                for mutant in here:
                    a, b = offset(text, mutant["span"]["start"]), offset(text, mutant["span"]["end"])
                    changed = f"{text[open_:a]} {mutant['replacement']} {text[b:end]}"
                    number = mutant["id"]
                    copies += f"\n/*<{number}*/ if crate::mutant_switch::is({number}) {changed} /*{number}>*/ else "
                text = text[:open_] + copies + body + " }" + text[end:]
            where = lines.setdefault(name, [])
            opened = {}
            for n, line in enumerate(text.split("\n"), 1):
                opened.update({int(number): n for number in re.findall(r"/\*<(\d+)\*/", line)})
                where += [(opened[int(number)], n, int(number)) for number in re.findall(r"/\*(\d+)>\*/", line)]
            self.copy(name, (text + SWITCH if name in libs else text).encode())
        return lines

    @staticmethod
    def functions(text, mutants):
        """The outermost functions that hold changes, the last one first, with their changes."""
        spans = {}
        for mutant in mutants:
            span = mutant["function"]["span"]
            spans.setdefault((offset(text, span["start"]), offset(text, span["end"])), []).append(mutant)
        outermost = []
        for (start, end), here in sorted(spans.items(), key=lambda span: (span[0][0], -span[0][1])):
            if outermost and start < outermost[-1][1]:
                outermost[-1][2].extend(here)
            else:
                outermost.append((start, end, here))
        return reversed(outermost)


def listed(crate):
    """Every change of a crate that lies within a function."""
    command = ["cargo", "mutants", "--package", f"salon-{crate}", "--list", "--json"]
    everything = json.loads(subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True).stdout)
    generated = {name for name in {mutant["file"] for mutant in everything} if "@generated" in (ROOT / name).read_text()[:500]}
    return [dict(mutant, crate=crate) for mutant in everything if mutant.get("function") and mutant["file"] not in generated]


class Build:
    """Cargo in the copy, with what it builds kept for the next time."""

    def __init__(self, tree, folder):
        self.tree = tree
        self.env = dict(os.environ, CARGO_TARGET_DIR=str(folder), CARGO_INCREMENTAL="0")

    def cargo(self, *arguments):
        done = subprocess.run(
            ["nice", "cargo", *arguments, "--message-format", "json"], cwd=self.tree.folder, env=self.env, text=True, capture_output=True
        )
        return done, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def drop_what_does_not_compile(self, alive, crates):
        """Takes out of the changes those that the compiler refuses, until it takes the rest."""
        packages = [argument for crate in crates for argument in ("-p", f"salon-{crate}")]
        while True:
            lines = self.tree.write(alive)
            done, messages = self.cargo("check", "--lib", "--tests", "--keep-going", *packages)
            refused = set()
            for message in (message["message"] for message in messages if message["reason"] == "compiler-message"):
                if message["level"] != "error":
                    continue
                for span in message["spans"]:
                    for first, last, number in lines.get(span["file_name"], []):
                        if first <= span["line_start"] <= last:
                            refused.add(number)
            if done.returncode == 0:
                return alive
            if not refused:
                sys.exit(done.stderr[-4000:])
            alive = [mutant for mutant in alive if mutant["id"] not in refused]

    def programs(self):
        """The test programs of the workspace, each with the folder that it runs in."""
        done, messages = self.cargo("test", "--workspace", "--lib", "--tests", "--bins", "--no-run")
        if done.returncode != 0:
            sys.exit(done.stderr[-4000:])
        return {
            message["executable"]: pathlib.Path(message["manifest_path"]).parent
            for message in messages
            if message["reason"] == "compiler-artifact" and message["executable"] and message["profile"]["test"]
        }


class Test:
    def __init__(self, program, folder, name):
        self.program, self.folder, self.name = program, folder, name
        self.crate = folder.name
        self.took = 0.0
        self.reaches = set()

    def run(self, limit, **env):
        """The exit status, or `late` if it took more seconds than `limit`."""
        began = time.monotonic()
        process = subprocess.Popen(
            ["nice", self.program, "--exact", self.name],
            cwd=self.folder,
            env=dict(os.environ, SALON_TEST_POSTGRES="none", RUST_BACKTRACE="0", **env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = "late"
        # Programs that a test has started and not ended.
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
        process.wait()
        self.took = self.took or time.monotonic() - began
        return status

    def survey(self):
        with tempfile.NamedTemporaryFile("r") as file:
            status = self.run(TOO_SLOW, MUTANTS_REACHED=file.name)
            if status == 0:
                self.reaches = {int(number) for number in file.read().split()}
            return self, status

    def notices(self, mutant):
        limit = max(30, self.took * 8)
        return all(self.run(limit, MUTANT=str(mutant["id"])) != 0 for _ in range(2))


def all_tests(programs):
    tests = []
    for program, folder in programs.items():
        names = subprocess.run([program, "--list"], cwd=folder, text=True, capture_output=True).stdout.splitlines()
        tests += [Test(program, folder, name.removesuffix(": test")) for name in names if name.endswith(": test")]
    # Tests of the sources themselves see the copies and nothing else.
    return [test for test in tests if test.crate != "tests"]


def survey(pool, tests):
    began = time.monotonic()
    for test, status in pool.map(Test.survey, tests):
        if status != 0:
            say(f"  left out, since it is {'slow' if status == 'late' else 'red'} without a change: {test.crate} {test.name}")
    say(f"{len(tests)} tests surveyed in {time.monotonic() - began:.0f} s")


def own(test, crate):
    """Handlers are tested from outside."""
    return test.crate == crate or (crate == "doors" and test.crate == "server")


def judge(pool, mutants, tests, own_only):
    """Gives each change the name of a test that noticed it, if there is one; of its own crate if `own_only`."""

    def by(mutant):
        crate = mutant["crate"]
        reaching = [test for test in tests if mutant["id"] in test.reaches and (own(test, crate) or not own_only)]
        mutant["reached"] = len(reaching)
        patience = PATIENCE
        # Its own first, then quick ones and those that come by little else.
        for test in sorted(reaching, key=lambda test: (not own(test, crate), test.took * len(test.reaches))):
            if patience < 0:
                break
            patience -= test.took
            if test.notices(mutant):
                return f"{test.crate} {test.name}"
        return None

    for done, (mutant, name) in enumerate(zip(mutants, pool.map(by, mutants)), 1):
        mutant["by"] = name
        if done % 50 == 0 or done == len(mutants):
            say(f"  {done} of {len(mutants)} judged, {sum(not mutant['by'] for mutant in mutants[:done])} not noticed so far")


def main():
    arguments = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("crates", metavar="CRATE", nargs="*", help=f"such as core or salon-core; without any: {' '.join(CRATES)}")
    arguments.add_argument("--sample", type=int, default=100, metavar="N", help="so many changes of each crate (100)")
    arguments.add_argument("--seed", default=str(int(time.time())), help="which ones; the same seed chooses the same changes of the same sources")
    arguments.add_argument("--own", action="store_true", help="run the tests of the crate alone (of the doors also the server's)")
    options = arguments.parse_args()
    crates = [crate.removeprefix("salon-") for crate in options.crates or CRATES]
    for crate in crates:
        if not (ROOT / "crates" / crate).is_dir():
            arguments.error(f"no crate is called {crate}; crates/ holds them")

    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
    tree = Tree(folder / "tree")
    build = Build(tree, folder / "build")
    sample = []
    for crate in crates:
        of_crate = listed(crate)
        random.Random(options.seed).shuffle(of_crate)
        # Some do not compile.
        sample += of_crate[: options.sample * 3 // 2 + 10]
    for number, mutant in enumerate(sample):
        mutant["id"] = number
    say(f"seed {options.seed}: which of the changes compile?")
    alive = build.drop_what_does_not_compile(sample, crates)
    mutants = [mutant for crate in crates for mutant in [m for m in alive if m["crate"] == crate][: options.sample]]
    tree.write(mutants)
    say(f"building {len(mutants)} changes into one")
    tests = [test for test in all_tests(build.programs()) if not options.own or any(own(test, crate) for crate in crates)]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        survey(pool, tests)
        judge(pool, mutants, tests, options.own)
    for crate in crates:
        of_crate = [mutant for mutant in mutants if mutant["crate"] == crate]
        missed = [mutant for mutant in of_crate if not mutant["by"]]
        for mutant in missed:
            say(f"  not noticed ({mutant['reached']} tests come by): {mutant['name']}")
        say(f"salon-{crate}: {len(of_crate) - len(missed)} of {len(of_crate)} noticed, seed {options.seed}")
        results = [{key: mutant[key] for key in ("name", "by", "reached")} for mutant in of_crate]
        (folder / f"{crate}.json").write_text(json.dumps(results, indent=1))
    say(f"judged in {time.monotonic() - began:.0f} s; each change and the test that noticed it: {folder}/*.json")


if __name__ == "__main__":
    main()
