//! Who may upload a file for the chat.

use super::minutes::{Minutes, guest, participant, preset, waits};
use crate::limits::UPLOADS_PER_MINUTE;
use crate::preset::{Entry, Preset};
use crate::session::Refusal;

fn uploads(meeting: &mut Minutes, second: i64, peer: &str) -> Result<(), Refusal> {
    meeting.act(second, &format!("{peer} uploads"), |session, now| session.upload(now, &participant(peer)))
}

#[test]
fn people_upload_who_are_in_and_may_send_files_to_somebody() {
    let without = |change: fn(&mut Preset)| {
        preset(|preset| {
            preset.private_chat.can_send = true;
            preset.private_chat.files = true;
            preset.public_chat.files = false;
            change(preset);
        })
    };
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &guest());
    meeting.joins(0, "bo", &without(|_| {}));
    meeting.joins(0, "cy", &without(|preset| preset.private_chat.files = false));
    meeting.joins(0, "di", &without(|preset| preset.private_chat.can_send = false));
    meeting.joins(0, "ed", &preset(|preset| preset.public_chat.can_send = false));
    meeting.joins(0, "spy", &preset(|preset| preset.hidden = true));
    meeting.joins(0, "wu", &waits(Entry::OnAccept));
    for (peer, outcome) in [
        ("al", Ok(())),
        ("bo", Ok(())),
        ("cy", Err(Refusal::NotAllowed)),
        ("di", Err(Refusal::NotAllowed)),
        ("ed", Err(Refusal::NotAllowed)),
        ("spy", Err(Refusal::NotAllowed)),
        ("wu", Err(Refusal::NotJoined)),
        ("nobody", Err(Refusal::NotJoined)),
    ] {
        assert_eq!(uploads(&mut meeting, 1, peer), outcome, "{peer}");
    }
    meeting.drops(2, "al");
    assert_eq!(uploads(&mut meeting, 3, "al"), Err(Refusal::NotJoined), "a broken line");
    meeting.joins(4, "al", &guest());
    assert_eq!(uploads(&mut meeting, 5, "al"), Ok(()));
    meeting.leaves(6, "al");
    assert_eq!(uploads(&mut meeting, 7, "al"), Err(Refusal::NotJoined));
}

#[test]
fn each_person_uploads_so_often() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "al", &guest());
    meeting.joins(0, "al-2", &guest());
    meeting.joins(0, "bo", &guest());
    for _ in 0..UPLOADS_PER_MINUTE {
        assert_eq!(uploads(&mut meeting, 1, "al"), Ok(()));
    }
    assert_eq!(uploads(&mut meeting, 2, "al-2"), Err(Refusal::TooOften), "another device is the same person");
    assert_eq!(uploads(&mut meeting, 2, "bo"), Ok(()));
    assert_eq!(uploads(&mut meeting, 61, "al"), Ok(()));
}
