//! A transcript as files and pushes have it: CSV in two forms, JSON, SRT and WebVTT. Pure.
//! Invariant: a line is one line whatever people are called, and nothing that they say begins something else.
//! Sources: the product's guide on transcription, and what web SDK 2.0.2 parses.

use std::collections::HashMap;

use salon_core::{PeerId, Timestamp};
use salon_store::TranscriptLine;
use serde_json::json;

use crate::rfc3339::rfc3339;
use crate::spreadsheet::no_formula;

/// When peers came and left; those who are still there have not left.
pub type Stays = HashMap<PeerId, (Timestamp, Option<Timestamp>)>;

/// A line as people in a live session are told it, and as `active-transcript` has it: seconds since 1970 first.
pub fn live_line(line: &TranscriptLine) -> String {
    let text = quoted(&line.text);
    let ids = [line.peer.as_str(), line.participant.as_str(), &line.custom_participant_id, &line.name].map(cell);
    format!("{},{},{text}", line.start_at.0.div_euclid(1_000), ids.join(","))
}

/// All lines as `active-transcript` has them. The client cuts it at line breaks, the last one included.
pub fn live_csv(lines: &[TranscriptLine]) -> String {
    lines.iter().map(live_line).collect::<Vec<_>>().join("\n")
}

/// Every field quoted, milliseconds from the start first; no line of headings, and nothing that a spreadsheet runs.
pub fn csv(began: Timestamp, lines: &[TranscriptLine]) -> String {
    let row = |line: &TranscriptLine| {
        let since = since(began, line.start_at).to_string();
        let fields = [&since, line.peer.as_str(), line.participant.as_str(), &line.custom_participant_id, &line.name, &line.text];
        fields.map(|field| quoted(&no_formula(field.to_owned()))).join(",") + "\n"
    };
    lines.iter().map(row).collect()
}

/// A list of objects; times are milliseconds from the start.
pub fn json(began: Timestamp, lines: &[TranscriptLine], stays: &Stays) -> String {
    let item = |line: &TranscriptLine| {
        let (joined, left) = stays.get(&line.peer).copied().unwrap_or((line.start_at, None));
        json!({
            "startTime": since(began, line.start_at),
            "endTime": since(began, line.end_at),
            "sentence": line.text,
            "peerData": {
                "id": line.peer.as_str(),
                "userId": line.participant.as_str(),
                "displayName": line.name,
                "cpi": line.custom_participant_id,
                "joinedAt": rfc3339(joined),
                // Of whoever stayed to the end.
                "leftAt": left.map_or_else(String::new, rfc3339),
            },
        })
    };
    serde_json::Value::from_iter(lines.iter().map(item)).to_string()
}

/// Subtitles: `Name: text`.
pub fn srt(began: Timestamp, lines: &[TranscriptLine]) -> String {
    let cue = |(n, line): (usize, &TranscriptLine)| format!("{}\n{}\n{}\n\n", n + 1, times(began, line, ','), words(line));
    lines.iter().enumerate().map(cue).collect()
}

/// The same as browsers take them.
pub fn vtt(began: Timestamp, lines: &[TranscriptLine]) -> String {
    let cue = |line: &TranscriptLine| {
        let words = words(line).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("{}\n{words}\n\n", times(began, line, '.'))
    };
    "WEBVTT\n\n".to_owned() + &lines.iter().map(cue).collect::<String>()
}

fn words(line: &TranscriptLine) -> String {
    // An arrow in a text would be taken for times.
    format!("{}: {}", one_line(&line.name), one_line(&line.text)).replace("-->", "->")
}

fn times(began: Timestamp, line: &TranscriptLine, point: char) -> String {
    let of = |at: Timestamp| {
        let ms = since(began, at);
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        format!("{hours:02}:{minutes:02}:{seconds:02}{point}{:03}", ms % 1_000)
    };
    // A cue of no length is never shown.
    format!("{} --> {}", of(line.start_at), of(line.end_at.max(line.start_at.plus_ms(1))))
}

fn since(began: Timestamp, at: Timestamp) -> i64 {
    at.since(began).max(0)
}

/// Without line breaks, at which files of lines are cut.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() || "\u{2028}\u{2029}".contains(letter) { ' ' } else { letter }).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('"', "\"\""))
}

/// Quoted only where it must be.
fn cell(text: &str) -> String {
    let text = one_line(text);
    if text.contains(['"', ',']) { quoted(&text) } else { text }
}

#[cfg(test)]
mod tests {
    use salon_core::ParticipantId;

    use super::*;

    const BEGAN: Timestamp = Timestamp(1_760_000_000_500);

    fn line(start_ms: i64, end_ms: i64, name: &str, text: &str) -> TranscriptLine {
        TranscriptLine {
            peer: PeerId::parse("tab").expect("an id"),
            participant: ParticipantId::parse("user").expect("an id"),
            custom_participant_id: "c-1".to_owned(),
            name: name.to_owned(),
            start_at: BEGAN.plus_ms(start_ms),
            end_at: BEGAN.plus_ms(end_ms),
            text: text.to_owned(),
        }
    }

    fn lines() -> Vec<TranscriptLine> {
        vec![line(1_200, 2_000, "Ann", "Good \"morning\""), line(3_723_004, 3_723_004, "O'Neil, \"B\"\n", "1 < 2 --> <b>&\r\nso")]
    }

    #[test]
    fn what_is_told_live_is_a_line_each_with_seconds_in_front() {
        assert_eq!(
            live_csv(&lines()),
            "1760000001,tab,user,c-1,Ann,\"Good \"\"morning\"\"\"\n1760003723,tab,user,c-1,\"O'Neil, \"\"B\"\" \",\"1 < 2 --> <b>&  so\""
        );
        assert_eq!(live_csv(&[]), "");
    }

    #[test]
    fn files_have_times_from_the_start() {
        assert_eq!(
            csv(BEGAN, &lines()),
            "\"1200\",\"tab\",\"user\",\"c-1\",\"Ann\",\"Good \"\"morning\"\"\"\n\
             \"3723004\",\"tab\",\"user\",\"c-1\",\"O'Neil, \"\"B\"\" \",\"1 < 2 --> <b>&  so\"\n"
        );
        assert_eq!(
            srt(BEGAN, &lines()),
            "1\n00:00:01,200 --> 00:00:02,000\nAnn: Good \"morning\"\n\n\
             2\n01:02:03,004 --> 01:02:03,005\nO'Neil, \"B\" : 1 < 2 -> <b>&  so\n\n"
        );
        assert_eq!(
            vtt(BEGAN, &lines()),
            "WEBVTT\n\n00:00:01.200 --> 00:00:02.000\nAnn: Good \"morning\"\n\n\
             01:02:03.004 --> 01:02:03.005\nO'Neil, \"B\" : 1 &lt; 2 -&gt; &lt;b&gt;&amp;  so\n\n"
        );
    }

    #[test]
    fn what_a_guest_is_called_runs_in_no_spreadsheet() {
        let lines = [line(0, 1, "=HYPERLINK(\"http://x\")", "-1+1")];
        assert_eq!(csv(BEGAN, &lines), "\"0\",\"tab\",\"user\",\"c-1\",\"'=HYPERLINK(\"\"http://x\"\")\",\"'-1+1\"\n");
        assert!(live_csv(&lines).contains(",-1+1") || live_csv(&lines).contains("\"-1+1\""), "the client shows it as it is");
    }

    #[test]
    fn json_says_who_it_was_and_when_they_came_and_left() {
        let stays = Stays::from([(PeerId::parse("tab").expect("an id"), (BEGAN, None))]);
        let made: serde_json::Value = serde_json::from_str(&json(BEGAN, &lines()[..1], &stays)).expect("JSON");
        let expected = json!([{
            "startTime": 1_200, "endTime": 2_000, "sentence": "Good \"morning\"",
            "peerData": {"id": "tab", "userId": "user", "displayName": "Ann", "cpi": "c-1",
                "joinedAt": "2025-10-09T08:53:20.500Z", "leftAt": ""},
        }]);
        assert_eq!(made, expected);
    }
}
