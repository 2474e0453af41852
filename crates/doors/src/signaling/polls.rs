//! The poll service: asking, voting, reading, and polls as the wire has them.
//! Invariant: who asked and who voted is the server's own knowledge; the request's words about that are not read.
//! Next: `salon_core::session`, `polls.rs`.

use salon_core::PollId;
use salon_core::event::Actor;
use salon_core::session::{Act, NewPoll, PollView};
use salon_wire::signaling::socket::polls as wire;

use crate::ids::random_id;
use crate::signaling::caller::{Answer, Caller, answer};
use crate::signaling::trouble::Trouble;

/// Asks everyone. There is no answer but the push, from which the caller's client shows the poll as all do.
pub async fn create(caller: &Caller, request: wire::NewPollRequest) -> Result<Answer, Trouble> {
    let new = NewPoll {
        id: random_id(),
        question: request.question,
        options: request.options,
        anonymous: request.anonymous,
        hide_votes: request.hide_votes,
    };
    let by = Actor::Peer(caller.peer.clone());
    caller.handle.call(move |session, now| session.create_poll(now, &by, "", new)).await??;
    Ok(Answer::None)
}

pub async fn vote(caller: &Caller, request: wire::VotePollRequest) -> Result<Answer, Trouble> {
    let poll = PollId::parse(&request.poll_id).map_err(|_| Trouble::Malformed("the poll id is not an id"))?;
    let peer = caller.peer.clone();
    caller.handle.call(move |session, now| session.vote(now, &peer, &poll, request.index)).await??;
    Ok(Answer::None)
}

/// Those who wait are told of none: their client asks all the same, and takes a refusal for a failure of the page (seen
/// in web SDK 2.0.2). It asks again once it is let in.
pub async fn all(caller: &Caller) -> Result<Answer, Trouble> {
    let peer = caller.peer.clone();
    let polls = caller.handle.call(move |session, now| match session.is_waiting(&peer) {
        true => Ok(Vec::new()),
        false => session.ask(now, &peer, Act::PollRead).and_then(|()| session.polls(&peer)),
    });
    let polls = polls.await??;
    answer(&wire::GetPollsResponse { polls: polls.iter().map(poll).collect() })
}

/// The push about a poll.
pub fn update(view: &PollView) -> wire::UpdatePollResponse {
    wire::UpdatePollResponse { poll: Some(poll(view)) }
}

fn poll(view: &PollView) -> wire::Poll {
    let options = view.options.iter().map(|option| wire::PollOption {
        text: option.text.clone(),
        count: Some(option.count),
        votes: option
            .votes
            .iter()
            .map(|(voter, name)| wire::PollVote { user_id: voter.to_string(), name: name.clone() })
            .collect(),
    });
    wire::Poll {
        poll_id: view.id.to_string(),
        created_by: view.by_name.clone(),
        created_by_user_id: view.by.as_ref().map(ToString::to_string).unwrap_or_default(),
        question: view.question.clone(),
        options: options.collect(),
        hide_votes: view.hide_votes,
        anonymous: view.anonymous,
        votes: view.voted.iter().map(ToString::to_string).collect(),
    }
}
