//! Pinning somebody for everyone.

use super::minutes::{Minutes, guest, id, preset};
use crate::session::Refusal;

fn pins(meeting: &mut Minutes, peer: &str, whom: Option<&str>) -> Result<(), Refusal> {
    let whom = whom.map(id);
    meeting.act(1, &format!("{peer} pins"), |session, now| session.pin(now, &id(peer), whom.as_ref()))
}

#[test]
fn a_host_pins_and_the_pin_goes_with_the_pinned() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "hana", &preset(|preset| preset.pin_participant = true));
    meeting.joins(0, "bo", &guest());
    meeting.joins(0, "ghost", &preset(|preset| preset.hidden = true));
    assert_eq!(pins(&mut meeting, "bo", Some("bo")), Err(Refusal::NotAllowed));
    assert_eq!(pins(&mut meeting, "hana", Some("nobody")), Err(Refusal::UnknownPeer));
    assert_eq!(pins(&mut meeting, "hana", Some("ghost")), Err(Refusal::UnknownPeer));
    pins(&mut meeting, "hana", Some("bo")).unwrap();
    assert!(meeting.text().contains("to bo, ghost, hana: bo is pinned"), "{}", meeting.text());
    meeting.dies(2, 3);
    assert_eq!(meeting.session.pinned(), Some(&id("bo")));
    meeting.joins(4, "hana", &preset(|preset| preset.pin_participant = true));
    meeting.joins(4, "bo", &guest());
    meeting.leaves(5, "bo");
    assert!(meeting.text().contains("to hana: nobody is pinned"), "{}", meeting.text());
    assert_eq!(meeting.session.pinned(), None);
    pins(&mut meeting, "hana", Some("hana")).unwrap();
    pins(&mut meeting, "hana", None).unwrap();
    assert_eq!(meeting.session.pinned(), None);
}
