//! What the pieces cost that a packet passes: time on this machine, and instructions held to the numbers in `pieces.txt`.
//! Instructions are counted by valgrind, which shows each program the same processor: they do not depend on how busy a
//! machine is. What one round costs is the difference of many rounds and few, so that the start does not count.
//! `scripts/test gates` runs it with `--gate`; without arguments it prints times.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Instant;

use salon_sfu::inside::pieces::{CAUGHT, COUNTED, FLOODS, VERIFIED};

/// The numbers to hold, beside this file.
const NUMBERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pieces.txt");

/// More than this share above its number is too much. Less would fail on another version of the C library.
const TOLERANCE: f64 = 0.05;

/// Rounds of which the costs are compared.
const ROUNDS: (u64, u64) = (100, 1_100);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => times(),
        ["--gate"] => return gate(),
        ["--piece", name, rounds] => repeat(name, rounds.parse().expect("a number of rounds")),
        _ => {
            eprintln!("pieces: no arguments for times, or --gate to hold instruction counts to {NUMBERS}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn times() {
    println!("{:<45} {:>10}", "piece", "ns");
    for (name, make) in COUNTED.into_iter().chain(FLOODS).chain(VERIFIED) {
        // The best of some: the others were disturbed.
        let best = (0..5).map(|_| {
            let mut piece = make();
            (0..CAUGHT / 4).for_each(|_| piece());
            let (start, rounds) = (Instant::now(), CAUGHT / 2);
            (0..rounds).for_each(|_| piece());
            start.elapsed().as_nanos() as f64 / rounds as f64
        });
        println!("{name:<45} {:>10.0}", best.fold(f64::MAX, f64::min));
    }
}

fn repeat(name: &str, rounds: u64) {
    let (_, make) = COUNTED.into_iter().find(|(known, _)| *known == name).expect("a known piece");
    let mut piece = make();
    (0..rounds).for_each(|_| piece());
}

fn gate() -> ExitCode {
    let known = std::fs::read_to_string(NUMBERS).unwrap_or_default();
    let known_compiler = known.lines().find_map(|line| line.strip_prefix("# compiler: ")).unwrap_or_default().to_owned();
    let known: BTreeMap<&str, f64> = known
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, n)| Some((name.trim(), n.parse().ok()?)))
        .collect();
    let compiler = compiler();
    let mut numbers = String::from("# Instructions of one round of each piece, written by: UPDATE=1 scripts/test gates\n");
    numbers += &format!("# compiler: {compiler}\n");
    let mut worse = Vec::new();
    println!("{:<30} {:>12} {:>12}", "piece", "instructions", "known");
    for (name, _) in COUNTED {
        let (Some(few), Some(many)) = (count(name, ROUNDS.0), count(name, ROUNDS.1)) else {
            eprintln!("pieces: valgrind counts nothing for `{name}`");
            return ExitCode::FAILURE;
        };
        let each = (many - few) as f64 / (ROUNDS.1 - ROUNDS.0) as f64;
        numbers += &format!("{name} {each:.0}\n");
        let before = known.get(name).copied();
        let change = before.map(|before| each / before - 1.0);
        let told = change.map_or_else(|| "new".to_owned(), |change| format!("{:+.1} %", change * 100.0));
        println!("{name:<30} {each:>12.0} {:>12} {told}", before.map_or_else(String::new, |before| before.to_string()));
        if change.is_none_or(|change| change > TOLERANCE) {
            worse.push(name);
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(NUMBERS, numbers).expect("the numbers can be written");
        println!("written to {NUMBERS}");
        return ExitCode::SUCCESS;
    }
    if worse.is_empty() {
        return ExitCode::SUCCESS;
    }
    let why = format!("dearer by more than {:.0} %: {}", TOLERANCE * 100.0, worse.join(", "));
    if compiler != known_compiler {
        println!("{why}; not held against anyone, as the numbers are of {known_compiler} and this is {compiler}");
        return ExitCode::SUCCESS;
    }
    eprintln!("pieces: {why}\nIf it is worth that, say so in the commit: UPDATE=1 scripts/test gates");
    ExitCode::FAILURE
}

/// Instructions of a process that does so many rounds of a piece.
fn count(name: &str, rounds: u64) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe().ok()?).args(["--piece", name, &rounds.to_string()]);
    let said = String::from_utf8(valgrind.output().ok()?.stderr).ok()?;
    // "==7== I   refs:      1,234,567"
    let refs = said.lines().find_map(|line| line.split_once("refs:"))?.1;
    refs.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

fn compiler() -> String {
    let said = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}
