//! What people say, as far as it is written down at once: whose it is, who is told, and that who listens is shown to nobody.

use super::minutes::{Minutes, at, guest, id, preset};
use crate::preset::{Entry, Recorder};

#[test]
fn everybody_who_is_in_is_told_and_whoever_waits_is_not() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ann", &preset(|preset| preset.transcription = true));
    meeting.joins(1, "bo", &guest());
    meeting.joins(2, "wanda", &preset(|preset| preset.entry = Entry::OnAccept));
    let listener = preset(|preset| (preset.recorder, preset.hidden) = (Recorder::Listener, true));
    meeting.joins(3, "robo", &listener);
    let of = |meeting: &mut Minutes, second| {
        let transcribed = meeting.does(second, "who is written down is asked", |session, _| session.transcribed());
        transcribed.into_iter().map(|(peer, _)| peer.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(&mut meeting, 4), ["ann"]);
    for (second, text, is_partial) in [(5, "good", true), (6, "good morning", false)] {
        meeting.does(second, "ann is heard", |session, now| {
            session.tell_transcript(now, &id("ann"), (at(4), text.to_owned(), is_partial));
        });
    }
    meeting.does(7, "nobody is heard", |session, now| {
        session.tell_transcript(now, &id("nobody"), (at(4), "boo".to_owned(), false));
    });
    meeting.leaves(8, "ann");
    assert_eq!(of(&mut meeting, 9), [""; 0]);
    let text = meeting.text();
    for told in ["to ann, bo, robo: ann is saying 'good'", "to ann, bo, robo: ann said 'good morning'"] {
        assert!(text.contains(told), "{text}");
    }
    for nobody in ["wanda: ann", "boo", "robo is here"] {
        assert!(!text.contains(nobody), "{nobody}: {text}");
    }
}
