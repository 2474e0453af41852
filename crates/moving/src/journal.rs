//! What became of everything: counted, kept as lines of JSON, and told at the end.
//! Invariant: a meeting that is said to be done is stored with all its people, none refused, so a run that was cut off less
//! than an hour after its beginning goes on after it.
//! A line that was cut off counts for nothing. Names and texts of people are in no line.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, bail};
use salon_core::Timestamp;
use salon_doors::rfc3339::{parse_rfc3339, rfc3339};
use serde_json::{Value, json};

/// How long after its beginning a run can be gone on with. What it had finished is not read again, so what changes there in
/// this time is missed until the run after. Longer would miss more of it; shorter would hardly carry a large account over a
/// night's network trouble, for ten thousand meetings take half of it.
const GOOD_FOR_MS: i64 = 60 * 60 * 1_000;

/// What every report begins with.
const BEGINS: &[u8] = br#"{"import":{"#;

/// Different sentences that are told at the end. A service that differs in more ways has the rest in the file.
const MAX_SENTENCES: usize = 200;

/// Ids that stand beside a sentence.
const MAX_EXAMPLES: usize = 3;

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    App,
    Preset,
    Meeting,
    Participant,
}

const THINGS: [(Thing, &str); 4] =
    [(Thing::App, "app"), (Thing::Preset, "preset"), (Thing::Meeting, "meeting"), (Thing::Participant, "participant")];

impl Thing {
    pub fn word(self) -> &'static str {
        THINGS.iter().find(|(thing, _)| *thing == self).map_or("", |(_, word)| word)
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Made,
    /// These of its fields are now as there.
    Changed(Vec<String>),
    /// It was as there already.
    Same,
    /// It differs, and was left as it is; why.
    Left(String),
    /// It cannot be had here; why.
    Refused(String),
}

const FATES: [&str; 5] = ["made", "changed", "same", "left", "refused"];

impl Fate {
    fn place(&self) -> usize {
        match self {
            Fate::Made => 0,
            Fate::Changed(_) => 1,
            Fate::Same => 2,
            Fate::Left(_) => 3,
            Fate::Refused(_) => 4,
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Fate::Left(why) | Fate::Refused(why) => Some(why),
            _ => None,
        }
    }
}

/// What was found of a run before this.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// None, or one that came to its end.
    #[default]
    Nothing,
    /// One that was cut off, and is gone on with.
    GoneOn,
    /// One that was cut off too long ago. All is read again.
    TooOld,
}

type Counts = BTreeMap<Thing, [u64; 5]>;

/// The sums of a run, and the file that it can go on from.
#[derive(Default)]
pub struct Journal {
    file: Option<File>,
    counts: Counts,
    /// Sentences, with how often each was said and of what.
    sentences: BTreeMap<String, (u64, Vec<String>)>,
    unsaid: u64,
    done: HashSet<String>,
    short: u64,
    pub before: Before,
}

impl Journal {
    /// One that is kept nowhere.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Opens the file of this run, which begins `now`: `what` says what is brought from where. One of the same that was cut off
    /// less than an hour after it began is gone on with; any other is replaced.
    ///
    /// # Errors
    /// It cannot be written, or another run writes it.
    pub fn open(path: &Path, what: &Value, now: Timestamp) -> anyhow::Result<Self> {
        let shown = path.display();
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.with_context(|| format!("the report {shown} cannot be opened"))?;
        if file.try_lock().is_err() {
            bail!("another import writes the report {shown}");
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(|| format!("the report {shown} cannot be read"))?;
        if !text.starts_with(BEGINS) && !BEGINS.starts_with(&text) {
            bail!("{shown} is there, and is no report of an import: name another file");
        }
        let mut journal = Self::default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<Value> =
            text[..whole].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        journal.before = match lines.first() {
            Some(first) if first["import"] == *what && !lines.iter().any(|line| line["finished"] == true) => {
                // One of the future was begun by a clock that was wrong, and one without a moment by an earlier release.
                let began = parse_rfc3339(first["started_at"].as_str().unwrap_or_default());
                let is_good = began.is_some_and(|began| (0..GOOD_FOR_MS).contains(&now.0.saturating_sub(began.0)));
                if is_good { Before::GoneOn } else { Before::TooOld }
            }
            _ => Before::Nothing,
        };
        let goes_on = journal.before == Before::GoneOn;
        let (keep, line) = if goes_on {
            journal.go_on(&lines);
            (whole, json!({ "goes_on_at": rfc3339(now) }))
        } else {
            (0, json!({ "import": what, "started_at": rfc3339(now) }))
        };
        file.set_len(keep as u64).and_then(|()| file.seek(SeekFrom::End(0)).map(drop)).context("the report cannot be written")?;
        journal.file = Some(file);
        journal.line(&line)?;
        Ok(journal)
    }

    /// Takes over what was finished; of a meeting that was not, nothing.
    fn go_on(&mut self, lines: &[Value]) {
        let mut open: HashMap<&str, Vec<&Value>> = HashMap::new();
        for line in lines {
            if line["goes_on_at"].is_string() {
                // What was not finished until then was looked at anew.
                open.clear();
            }
            if let Some(meeting) = line["of"].as_str() {
                open.entry(meeting).or_default().push(line);
            }
            let Some(meeting) = line["done"].as_str() else { continue };
            self.done.insert(meeting.to_owned());
            for line in open.remove(meeting).unwrap_or_default() {
                let Some((thing, _)) = THINGS.iter().find(|(_, word)| line["is"] == *word) else { continue };
                let Some(place) = FATES.iter().position(|fate| line["did"] == *fate) else { continue };
                self.counts.entry(*thing).or_default()[place] += 1;
                let said = line["remarks"].as_array().into_iter().flatten().chain(line.get("why"));
                for sentence in said.filter_map(Value::as_str) {
                    self.say(*thing, sentence, line["id"].as_str().unwrap_or_default());
                }
            }
            for (thing, word) in THINGS {
                self.counts.entry(thing).or_default()[Fate::Same.place()] += line["same"][word].as_u64().unwrap_or_default();
            }
        }
    }

    /// Whether a meeting was brought with all its people by the run that this one goes on with.
    pub fn is_done(&self, meeting: &str) -> bool {
        self.done.contains(meeting)
    }

    /// Writes down what became of a thing; `of` is the meeting that it belongs to or is.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, thing: Thing, id: &str, of: Option<&str>, fate: &Fate, remarks: &[String]) -> anyhow::Result<()> {
        self.counts.entry(thing).or_default()[fate.place()] += 1;
        for sentence in remarks.iter().map(String::as_str).chain(fate.why()) {
            self.say(thing, sentence, id);
        }
        if *fate == Fate::Same && remarks.is_empty() {
            return Ok(());
        }
        let mut line = json!({ "is": thing.word(), "id": id, "did": FATES[fate.place()] });
        if let Some(of) = of {
            line["of"] = of.into();
        }
        if let Some(why) = fate.why() {
            line["why"] = why.into();
        }
        if let Fate::Changed(fields) = fate {
            line["fields"] = fields.clone().into();
        }
        if !remarks.is_empty() {
            line["remarks"] = remarks.into();
        }
        self.line(&line)
    }

    /// A meeting is stored with all its people; `same` of them, and of it, were as there and have no line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish_meeting(&mut self, meeting: &str, same: &BTreeMap<Thing, u64>) -> anyhow::Result<()> {
        let same: BTreeMap<&str, u64> = same.iter().map(|(thing, count)| (thing.word(), *count)).collect();
        self.line(&json!({ "done": meeting, "same": same }))
    }

    /// A list there could not be read to its end: the thing that it belongs to, of which this is said.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn cut_short(&mut self, thing: Thing, id: &str, sentence: &str) -> anyhow::Result<()> {
        self.short += 1;
        self.say(thing, sentence, id);
        self.line(&json!({ "is": thing.word(), "id": id, "cut_short": sentence }))
    }

    /// The end was reached: the next run begins anew.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.line(&json!({ "finished": true }))
    }

    /// Says something beside the counts.
    pub fn say(&mut self, thing: Thing, sentence: &str, id: &str) {
        let sentence = format!("{}: {sentence}", thing.word());
        if self.sentences.len() >= MAX_SENTENCES && !self.sentences.contains_key(&sentence) {
            self.unsaid += 1;
            return;
        }
        let (count, examples) = self.sentences.entry(sentence).or_default();
        *count += 1;
        if examples.len() < MAX_EXAMPLES && !examples.iter().any(|known| known == id) {
            examples.push(id.to_owned());
        }
    }

    /// How many lists could not be read to their end.
    pub fn short(&self) -> u64 {
        self.short
    }

    /// How many things could not be had here.
    pub fn refused(&self) -> u64 {
        self.counts.values().map(|counts| counts[4]).sum()
    }

    /// What people read at the end.
    pub fn summary(&self, dry_run: bool) -> String {
        let mut text = format!(
            "{:<13}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
            if dry_run { "would be" } else { "" },
            "made",
            "changed",
            "as there",
            "left",
            "refused"
        );
        for (thing, word) in THINGS {
            let counts = self.counts.get(&thing).copied().unwrap_or_default();
            let _ = write!(text, "{:<13}", format!("{word}s"));
            text.extend(counts.iter().map(|count| format!("{count:>10}")));
            text.push('\n');
        }
        for (sentence, (count, examples)) in &self.sentences {
            let (examples, more) = (examples.join(", "), if *count as usize > examples.len() { ", …" } else { "" });
            let _ = writeln!(text, "{count:>6} × {sentence} ({examples}{more})");
        }
        if self.unsaid > 0 {
            let _ = writeln!(text, "{:>6} × something else; the report has it", self.unsaid);
        }
        text
    }

    fn line(&mut self, line: &Value) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // In one piece: what is cut off is then the last line.
        file.write_all(format!("{line}\n").as_bytes()).context("the report cannot be written")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn file(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("salon-journal-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn counts(journal: &Journal, thing: Thing) -> [u64; 5] {
        journal.counts.get(&thing).copied().unwrap_or_default()
    }

    #[test]
    fn a_run_that_was_cut_off_is_gone_on_with_after_the_last_whole_meeting() {
        let path = file("cut");
        let what = json!({ "account": "a" });
        let mut journal = Journal::open(&path, &what, NOW).unwrap();
        assert_eq!(journal.before, Before::Nothing);
        let remark = ["`x` is not known here".to_owned()];
        journal.note(Thing::Preset, "p", None, &Fate::Made, &[]).unwrap();
        journal.note(Thing::Meeting, "m1", Some("m1"), &Fate::Made, &remark).unwrap();
        journal.note(Thing::Participant, "u1", Some("m1"), &Fate::Refused("no".to_owned()), &[]).unwrap();
        journal.finish_meeting("m1", &[(Thing::Participant, 2)].into()).unwrap();
        journal.note(Thing::Meeting, "m2", Some("m2"), &Fate::Made, &[]).unwrap();
        drop(journal);
        // The machine went down in the middle of a line.
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(br#"{"done":"m2","sa"#);
        std::fs::write(&path, text).unwrap();

        let mut journal = Journal::open(&path, &what, NOW.plus_ms(GOOD_FOR_MS - 1)).unwrap();
        assert!(journal.before == Before::GoneOn && journal.is_done("m1") && !journal.is_done("m2"));
        assert_eq!(counts(&journal, Thing::Meeting), [1, 0, 0, 0, 0]);
        assert_eq!(counts(&journal, Thing::Participant), [0, 0, 2, 0, 1]);
        assert_eq!(counts(&journal, Thing::Preset), [0; 5], "presets are looked at anew");
        let summary = journal.summary(false);
        assert!(summary.contains("1 × meeting: `x` is not known here (m1)"), "{summary}");
        journal.finish_meeting("m2", &BTreeMap::new()).unwrap();
        journal.finish().unwrap();
        drop(journal);

        let journal = Journal::open(&path, &what, NOW).unwrap();
        assert!(journal.before == Before::Nothing && !journal.is_done("m1"), "a finished run is not gone on with");
        drop(journal);
        let journal = Journal::open(&path, &json!({ "account": "b" }), NOW).unwrap();
        assert_eq!(journal.before, Before::Nothing);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_run_that_was_cut_off_long_ago_is_begun_anew() {
        let path = file("old");
        let what = json!({ "account": "a" });
        let begin = |now| {
            let mut journal = Journal::open(&path, &what, now).unwrap();
            journal.finish_meeting("m1", &BTreeMap::new()).unwrap();
            journal.before
        };
        assert_eq!(begin(NOW), Before::Nothing);
        assert_eq!(begin(NOW.plus_ms(GOOD_FOR_MS / 2)), Before::GoneOn);
        // The hour is that of the first beginning.
        let journal = Journal::open(&path, &what, NOW.plus_ms(GOOD_FOR_MS)).unwrap();
        assert!(journal.before == Before::TooOld && !journal.is_done("m1"));
        assert!(!std::fs::read_to_string(&path).unwrap().contains("done"), "what is old is gone");
        drop(journal);
        assert_eq!(begin(NOW), Before::TooOld, "begun by a clock that is ahead");
        std::fs::write(&path, "{\"import\":{\"account\":\"a\"}}\n{\"done\":\"m1\",\"same\":{}}\n").unwrap();
        let journal = Journal::open(&path, &what, NOW).unwrap();
        assert!(journal.before == Before::TooOld && !journal.is_done("m1"), "written by an earlier release");
        drop(journal);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_looked_at_again_is_counted_once() {
        let path = file("again");
        let what = json!({ "account": "a" });
        let note = |journal: &mut Journal, fate: Fate| journal.note(Thing::Participant, "u", Some("m"), &fate, &[]).unwrap();
        let mut journal = Journal::open(&path, &what, NOW).unwrap();
        note(&mut journal, Fate::Refused("no such preset".to_owned()));
        drop(journal);
        let mut journal = Journal::open(&path, &what, NOW).unwrap();
        assert_eq!(journal.refused(), 0);
        note(&mut journal, Fate::Made);
        journal.finish_meeting("m", &BTreeMap::new()).unwrap();
        drop(journal);
        let journal = Journal::open(&path, &what, NOW).unwrap();
        assert_eq!(counts(&journal, Thing::Participant), [1, 0, 0, 0, 0]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn nobody_elses_file_is_replaced_and_no_two_runs_write_one() {
        let path = file("other");
        for diary in ["my diary\n", "my diary", "{\"import\":1}\n"] {
            std::fs::write(&path, diary).unwrap();
            assert!(Journal::open(&path, &json!({}), NOW).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), diary);
        }
        std::fs::remove_file(&path).unwrap();
        let first = Journal::open(&path, &json!({}), NOW).unwrap();
        assert!(Journal::open(&path, &json!({}), NOW).is_err());
        drop(first);
        assert!(Journal::open(&path, &json!({}), NOW).is_ok());
        std::fs::remove_file(path).unwrap();
    }
}
