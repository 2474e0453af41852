//! What the comparisons add up to, by operation; and a line of JSON for each answer that differs.
//! Invariant: both have a bound; what is beyond it is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::differences::Difference;
use crate::shadow::side::Side;

/// Operations that are told apart, and differences of one.
const MAX_OPERATIONS: usize = 500;
const MAX_KINDS: usize = 100;

/// Letters of a value in a line.
const MAX_VALUE: usize = 300;

/// Bytes of lines. A trial that differs everywhere would fill the disk.
const MAX_LINES: u64 = 256 * 1024 * 1024;

/// What came of asking the other side.
pub enum Seen {
    Compared(Compared),
    /// It gave no answer to compare.
    Failed(String),
}

/// As seen from the side that was told.
pub struct Compared {
    pub statuses: (u16, u16),
    pub found: Vec<Difference>,
}

#[derive(Default)]
struct Sum {
    same: u64,
    differ: u64,
    failed: u64,
    left_out: u64,
    /// What differs, and in how many answers.
    kinds: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Sums {
    by_operation: BTreeMap<String, Sum>,
    lines: Option<File>,
    written: u64,
    not_written: u64,
}

/// The sums of a run.
#[derive(Default)]
pub struct Tally(Mutex<Sums>);

impl Tally {
    /// Lines go to this file, if there is one.
    pub fn new(lines: Option<File>) -> Self {
        Self(Mutex::new(Sums { lines, ..Sums::default() }))
    }

    /// An answer that was not compared.
    pub fn left_out(&self, operation: &str) {
        self.lock().of(operation).left_out += 1;
    }

    /// What came of one comparison. `shown` is the request as it may be shown.
    pub fn note(&self, operation: &str, shown: &str, (told, other): (Side, Side), seen: Seen) {
        let mut sums = self.lock();
        let sum = sums.of(operation);
        let mut line = json!({ "operation": operation, "request": shown });
        match seen {
            Seen::Failed(why) => {
                sum.failed += 1;
                sum.kind(&format!("{} gives no answer", other.word()));
                line["failed"] = why.into();
            }
            Seen::Compared(Compared { statuses, found }) if statuses.0 == statuses.1 && found.is_empty() => {
                sum.same += 1;
                return;
            }
            Seen::Compared(Compared { statuses, found }) => {
                sum.differ += 1;
                line["status"] = json!({ told.word(): statuses.0, other.word(): statuses.1 });
                if statuses.0 != statuses.1 {
                    sum.kind(&format!("status {} at {}, {} at {}", statuses.0, told.word(), statuses.1, other.word()));
                } else {
                    let mut kinds: Vec<String> = found.iter().map(|one| sentence(one, told, other)).collect();
                    kinds.sort();
                    kinds.dedup();
                    kinds.iter().for_each(|kind| sum.kind(kind));
                }
                let found = found.iter().map(|one| {
                    let mut shown = json!({ "path": one.path, "what": sentence(one, told, other) });
                    for (side, value) in [(told, &one.ours), (other, &one.theirs)] {
                        if let Some(value) = value {
                            shown[side.word()] = short(value);
                        }
                    }
                    shown
                });
                line["differences"] = found.collect();
            }
        }
        sums.line(&line);
    }

    /// What people read at the end.
    pub fn summary(&self) -> String {
        let sums = self.lock();
        if sums.by_operation.is_empty() {
            return "nothing was asked\n".to_owned();
        }
        let mut text = format!("{:>8}{:>8}{:>8}{:>10}\n", "same", "differ", "failed", "left out");
        for (operation, sum) in &sums.by_operation {
            let _ = writeln!(text, "{:>8}{:>8}{:>8}{:>10}  {operation}", sum.same, sum.differ, sum.failed, sum.left_out);
            for (kind, count) in &sum.kinds {
                let _ = writeln!(text, "{:>36}× {kind}", count);
            }
        }
        if sums.not_written > 0 {
            let _ = writeln!(text, "{} lines did not fit into the report", sums.not_written);
        }
        text
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    fn of(&mut self, operation: &str) -> &mut Sum {
        let full = self.by_operation.len() >= MAX_OPERATIONS && !self.by_operation.contains_key(operation);
        let operation = if full { "others" } else { operation };
        self.by_operation.entry(operation.to_owned()).or_default()
    }

    fn line(&mut self, line: &Value) {
        let Some(file) = &mut self.lines else { return };
        let text = format!("{line}\n");
        if self.written + text.len() as u64 > MAX_LINES || file.write_all(text.as_bytes()).is_err() {
            self.not_written += 1;
            return;
        }
        self.written += text.len() as u64;
    }
}

impl Sum {
    fn kind(&mut self, kind: &str) {
        let full = self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(kind);
        *self.kinds.entry(if full { "others" } else { kind }.to_owned()).or_default() += 1;
    }
}

/// What differs, in words that name the sides.
fn sentence(one: &Difference, told: Side, other: Side) -> String {
    use crate::differences::Kind;
    let what = match one.kind {
        Kind::Missing => format!("only at {}", other.word()),
        Kind::Extra => format!("only at {}", told.word()),
        Kind::Type => "another type".to_owned(),
        Kind::Value => "another value".to_owned(),
        Kind::Order => "another order".to_owned(),
    };
    format!("{}: {what}", if one.path.is_empty() { "all of it" } else { &one.path })
}

/// A value as it stands in a line.
fn short(value: &Value) -> Value {
    let text = value.to_string();
    if text.len() <= MAX_VALUE { value.clone() } else { text.chars().take(MAX_VALUE).chain(['…']).collect::<String>().into() }
}
