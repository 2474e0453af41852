//! A session that another process goes on with: nobody notices, and what was due stays due.

use super::minutes::{Minutes, guest, host, id, participant, waits};
use crate::ids::TrackId;
use crate::limits::MAX_SPEAKERS;
use crate::preset::{Entry, Preset};
use crate::session::{Refusal, Session, Standing};

/// Another process goes on with the session and these connections; the media of `flowing` go on.
fn goes_on(meeting: &mut Minutes, second: i64, connections: &[(&str, Preset)], flowing: &[&str]) {
    let flowing: Vec<TrackId> = flowing.iter().map(|track| TrackId::parse(track).unwrap()).collect();
    meeting.does(second, "another process goes on", |session, now| {
        let record = session.record().cloned().unwrap();
        let standings: Vec<Standing> = connections.iter().map(|(peer, _)| session.standing(&id(peer)).unwrap()).collect();
        let (facts, limits) = (session.facts().clone(), session.limits.clone());
        let mut next = Session::go_on_with(facts, limits, record, now, session.carry(), &flowing);
        for ((peer, preset), standing) in connections.iter().zip(standings) {
            next.take_up(now, &id(peer), &participant(peer), preset.clone(), standing);
        }
        next.all_taken_up(now);
        *session = next;
    });
}

/// The lines that were written by `act`.
fn told(meeting: &mut Minutes, act: impl FnOnce(&mut Minutes)) -> String {
    let before = meeting.text().len();
    act(meeting);
    meeting.text()[before..].to_string()
}

fn connected(meeting: &Minutes, peer: &str) -> bool {
    meeting.session.record().unwrap().peers[&id(peer)].is_connected()
}

#[test]
fn those_who_came_along_notice_nothing() {
    let mut meeting = Minutes::new();
    let people = [("hana", host()), ("bo", guest())];
    for (peer, preset) in &people {
        meeting.enters(0, peer, preset);
        meeting.publishes(0, peer, "mic").unwrap();
    }
    let said = told(&mut meeting, |meeting| goes_on(meeting, 10, &people, &["hana-mic", "bo-mic"]));
    assert!(!said.contains("     to "), "{said}");
    assert!(said.contains("= s1: 2 live, 2 at most"), "{said}");
    assert_eq!(meeting.session.everyone(), [participant("bo"), participant("hana")]);
    meeting.publishes(11, "bo", "cam").unwrap();
    let kicks = meeting.act(12, "hana kicks bo", |session, now| session.kick(now, &id("hana"), &[id("bo")]));
    assert_eq!(kicks, Ok(()), "with the leave that she had");
}

#[test]
fn whose_connection_did_not_come_along_has_broken() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    goes_on(&mut meeting, 10, &[("ana", guest())], &[]);
    assert_eq!((connected(&meeting, "ana"), connected(&meeting, "bo")), (true, false));
    meeting.time_passes(24);
    assert!(meeting.session.record().unwrap().present().any(|peer| peer.who.peer == id("bo")), "within the grace");
    meeting.time_passes(25);
    assert!(!meeting.session.record().unwrap().present().any(|peer| peer.who.peer == id("bo")));
}

#[test]
fn who_was_away_has_no_longer_to_come_back_than_before() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.drops(5, "bo");
    goes_on(&mut meeting, 15, &[("ana", guest())], &[]);
    let here = |meeting: &Minutes| meeting.session.record().unwrap().present().any(|peer| peer.who.peer == id("bo"));
    meeting.time_passes(19);
    assert!(here(&meeting));
    meeting.time_passes(20);
    assert!(!here(&meeting), "fifteen seconds after the socket broke");
}

#[test]
fn what_flows_no_more_is_gone_and_what_flows_is_kept_for_who_is_away() {
    let mut meeting = Minutes::new();
    for peer in ["ana", "bo"] {
        meeting.enters(0, peer, &guest());
        meeting.publishes(0, peer, "mic").unwrap();
        meeting.publishes(0, peer, "cam").unwrap();
    }
    goes_on(&mut meeting, 10, &[("ana", guest()), ("bo", guest())], &["ana-mic", "bo-mic", "bo-cam"]);
    let tracks = |meeting: &Minutes, peer| meeting.session.tracks_of(&id(peer)).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (tracks(&meeting, "ana"), tracks(&meeting, "bo")),
        (vec!["ana-mic".into()], vec!["bo-cam".into(), "bo-mic".into()])
    );
}

#[test]
fn who_spoke_last_stays_in_front() {
    let mut meeting = Minutes::new();
    let people: Vec<String> = (0..MAX_SPEAKERS + 1).map(|n| format!("p{n}")).collect();
    for peer in &people {
        meeting.enters(0, peer, &guest());
        meeting.publishes(0, peer, "mic").unwrap();
    }
    for (second, peer) in people.iter().enumerate() {
        meeting.speaks(i64::try_from(second).unwrap() * 10 + 1, peer).unwrap();
    }
    let before = meeting.session.selections(&id("nobody"));
    let connections: Vec<_> = people.iter().map(|peer| (peer.as_str(), guest())).collect();
    let flowing: Vec<String> = people.iter().map(|peer| format!("{peer}-mic")).collect();
    let flowing: Vec<&str> = flowing.iter().map(String::as_str).collect();
    goes_on(&mut meeting, 100, &connections, &flowing);
    assert_eq!(meeting.session.selections(&id("nobody")), before);
    assert!(!before.speakers.is_empty());
}

#[test]
fn those_who_wait_go_on_waiting_in_their_places() {
    let mut meeting = Minutes::new();
    let hana = ("hana", host());
    meeting.enters(0, hana.0, &hana.1);
    let knocks = waits(Entry::OnAccept);
    for (second, peer) in [(1, "dee"), (2, "cy")] {
        meeting.joins(second, peer, &knocks);
    }
    goes_on(&mut meeting, 10, &[hana, ("dee", knocks.clone()), ("cy", knocks.clone())], &[]);
    let waiting = |meeting: &Minutes| {
        let list = meeting.session.waiting_list(&id("hana")).unwrap();
        list.iter().map(|view| view.peer.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(waiting(&meeting), ["dee", "cy"]);
    assert_eq!(meeting.session.waiting_count(), 2);
    meeting.joins(11, "al", &knocks);
    assert_eq!(waiting(&meeting), ["dee", "cy", "al"], "who comes later waits behind them");
    let said = told(&mut meeting, |meeting| {
        meeting.act(12, "hana admits cy", |session, now| session.admit(now, &id("hana"), &[participant("cy")])).unwrap();
    });
    assert!(said.contains("to cy: Admitted"), "{said}");
}

#[test]
fn those_who_wait_for_a_host_come_in_with_one() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    let waiting = waits(Entry::OnPrivilegedEntry);
    meeting.joins(1, "bo", &waiting);
    goes_on(&mut meeting, 10, &[("ana", guest()), ("bo", waiting)], &[]);
    let said = told(&mut meeting, |meeting| meeting.joins(11, "hana", &host()));
    assert!(said.contains("to bo: Admitted"), "{said}");
}

#[test]
fn a_connection_of_somebody_else_is_not_taken_up() {
    let mut meeting = Minutes::new();
    meeting.enters(0, "ana", &guest());
    meeting.enters(0, "bo", &guest());
    meeting.joins(1, "cy", &waits(Entry::OnAccept));
    let standing = |peer| meeting.session.standing(&id(peer)).unwrap();
    let (ana, cy) = (standing("ana"), standing("cy"));
    let record = meeting.session.record().cloned().unwrap();
    let now = record.updated_at.plus_ms(1_000);
    let (facts, limits) = (meeting.session.facts().clone(), meeting.session.limits.clone());
    let mut next = Session::go_on_with(facts, limits, record, now, meeting.session.carry(), &[]);
    next.take_up(now, &id("ana"), &participant("bo"), host(), ana.clone());
    next.take_up(now, &id("cy"), &participant("bo"), host(), cy.clone());
    next.take_up(now, &id("dee"), &participant("cy"), host(), cy);
    assert_eq!(next.standing(&id("ana")), None);
    assert_eq!(next.standing(&id("cy")), None);
    assert_eq!(next.standing(&id("dee")), None);
    assert_eq!(next.kick(now, &id("ana"), &[id("bo")]), Err(Refusal::NotJoined));
    next.take_up(now, &id("ana"), &participant("ana"), guest(), ana.clone());
    assert_eq!(next.standing(&id("ana")), Some(ana));
}
