//! Polls: who asks, who votes, and who sees what of it.

use super::minutes::{Minutes, guest, id, participant, preset};
use crate::PollId;
use crate::event::Actor;
use crate::limits::{MAX_POLL_OPTIONS, MAX_POLL_QUESTION_CHARS, MAX_POLLS, POLLS_PER_MINUTE};
use crate::session::{NewPoll, Refusal};

fn tea(n: usize) -> NewPoll {
    NewPoll {
        id: poll(n),
        question: "Tea?".to_string(),
        options: vec!["yes".to_string(), "no".to_string()],
        anonymous: false,
        hide_votes: false,
    }
}

fn poll(n: usize) -> PollId {
    PollId::parse(&format!("q{n}")).unwrap()
}

fn asks(meeting: &mut Minutes, peer: &str, new: NewPoll) -> Result<(), Refusal> {
    let by = Actor::Peer(id(peer));
    meeting.act(1, &format!("{peer} asks"), |session, now| session.create_poll(now, &by, "", new)).map(drop)
}

fn votes(meeting: &mut Minutes, peer: &str, option: u64) -> Result<(), Refusal> {
    meeting.act(2, &format!("{peer} votes"), |session, now| session.vote(now, &id(peer), &poll(1), option))
}

#[test]
fn a_question_is_put_to_everyone_and_answered_once_each() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    asks(&mut meeting, "ana", tea(1)).unwrap();
    assert!(meeting.text().contains("to ana, bo: asks 'Tea?': yes 0 [], no 0 []; [] voted"), "{}", meeting.text());
    votes(&mut meeting, "bo", 1).unwrap();
    assert!(meeting.text().contains("to bo, ana: votes on 'Tea?': yes 0 [], no 1 [bo]; [bo] voted"), "{}", meeting.text());
    assert_eq!(votes(&mut meeting, "bo", 0), Err(Refusal::AlreadyVoted));
    meeting.joins(3, "bo-2", &guest());
    assert_eq!(votes(&mut meeting, "bo-2", 0), Err(Refusal::AlreadyVoted), "another device is the same person");
    assert_eq!(votes(&mut meeting, "ana", 2), Err(Refusal::UnknownPoll), "there is no third option");
    let late = meeting.session.polls(&id("bo-2")).unwrap();
    assert_eq!((late[0].options[1].count, late[0].by.clone()), (1, Some(participant("ana"))));
}

#[test]
fn counts_that_are_hidden_are_told_to_those_who_voted_only() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    asks(&mut meeting, "ana", NewPoll { hide_votes: true, ..tea(1) }).unwrap();
    votes(&mut meeting, "bo", 0).unwrap();
    assert!(meeting.text().contains("to bo: votes on 'Tea?': yes 1 [bo], no 0 []; [bo] voted"), "{}", meeting.text());
    assert!(meeting.text().contains("to ana: votes on 'Tea?': yes 0 [], no 0 []; [bo] voted"), "{}", meeting.text());
    assert_eq!(meeting.session.polls(&id("ana")).unwrap()[0].options[0].count, 0);
    assert_eq!(meeting.session.polls(&id("bo")).unwrap()[0].options[0].count, 1);
}

#[test]
fn nobody_learns_who_voted_in_an_anonymous_poll() {
    let mut meeting = Minutes::new();
    for peer in ["ana", "bo", "cy"] {
        meeting.joins(0, peer, &guest());
    }
    asks(&mut meeting, "ana", NewPoll { anonymous: true, ..tea(1) }).unwrap();
    votes(&mut meeting, "ana", 0).unwrap();
    votes(&mut meeting, "bo", 0).unwrap();
    let seen = |peer: &str| meeting.session.polls(&id(peer)).unwrap().remove(0);
    assert!(seen("ana").hide_votes, "anonymous hides the counts as well");
    assert_eq!((seen("ana").options[0].count, seen("ana").voted), (2, vec![participant("ana")]));
    assert_eq!((seen("cy").options[0].count, seen("cy").voted), (0, vec![]));
    assert!(["ana", "bo", "cy"].iter().all(|peer| seen(peer).options.iter().all(|option| option.votes.is_empty())));
}

#[test]
fn each_permission_is_asked_for() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "mute", &preset(|preset| preset.polls.can_create = false));
    meeting.joins(0, "shy", &preset(|preset| preset.polls.can_vote = false));
    meeting.joins(0, "blind", &preset(|preset| preset.polls.can_view = false));
    assert_eq!(asks(&mut meeting, "mute", tea(1)), Err(Refusal::NotAllowed));
    asks(&mut meeting, "ana", tea(1)).unwrap();
    assert_eq!(votes(&mut meeting, "shy", 0), Err(Refusal::NotAllowed));
    assert_eq!(votes(&mut meeting, "blind", 0), Err(Refusal::NotAllowed));
    assert_eq!(meeting.session.polls(&id("blind")), Err(Refusal::NotAllowed));
    assert_eq!(meeting.session.polls(&id("nobody")), Err(Refusal::NotJoined));
    votes(&mut meeting, "mute", 0).unwrap();
    assert!(!meeting.text().lines().any(|line| line.trim().starts_with("to") && line.contains("blind") && line.contains("Tea")));
}

#[test]
fn polls_have_bounds() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    for options in [vec![], vec!["one".to_string()], vec!["one".to_string(), " ".to_string()]] {
        assert_eq!(asks(&mut meeting, "ana", NewPoll { options, ..tea(1) }), Err(Refusal::Incomplete));
    }
    assert_eq!(asks(&mut meeting, "ana", NewPoll { question: " ".to_string(), ..tea(1) }), Err(Refusal::Incomplete));
    let question = "x".repeat(MAX_POLL_QUESTION_CHARS + 1);
    assert_eq!(asks(&mut meeting, "ana", NewPoll { question, ..tea(1) }), Err(Refusal::TooLarge));
    let options = vec!["x".to_string(); MAX_POLL_OPTIONS + 1];
    assert_eq!(asks(&mut meeting, "ana", NewPoll { options, ..tea(1) }), Err(Refusal::TooLarge));
    for n in 0..MAX_POLLS {
        if n % POLLS_PER_MINUTE == 0 {
            meeting.time_passes(60 + 60 * n as i64);
        }
        asks(&mut meeting, "ana", tea(n)).unwrap();
    }
    assert_eq!(asks(&mut meeting, "ana", tea(MAX_POLLS)), Err(Refusal::Full));
}

#[test]
fn the_api_asks_and_a_crash_forgets_no_vote() {
    let mut meeting = Minutes::new();
    let created = meeting.session.create_poll(crate::Timestamp(0), &Actor::Api, "app", tea(1));
    assert_eq!(created, Err(Refusal::NoSession));
    meeting.joins(0, "ana", &guest());
    let ask = |session: &mut crate::Session, now| session.create_poll(now, &Actor::Api, "app", tea(1));
    let created = meeting.act(1, "the API asks", ask).unwrap();
    assert_eq!((created.by_name.as_str(), created.by), ("app", None));
    votes(&mut meeting, "ana", 0).unwrap();
    meeting.dies(3, 4);
    meeting.joins(5, "ana", &guest());
    assert_eq!(meeting.session.polls(&id("ana")).unwrap()[0].options[0].count, 1);
}
