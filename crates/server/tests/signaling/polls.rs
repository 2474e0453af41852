//! Polls as clients ask, vote and see them; and one that the API asks.

use salon_wire::event_id::polls::{CREATE_POLL, GET_POLLS, UPDATE_POLL, VOTE_POLL};
use salon_wire::signaling::socket::polls as wire;
use serde_json::json;

use crate::client::{Client, NOTHING};
use crate::house::{Folder, House};
use crate::node::Node;

fn tea() -> wire::NewPollRequest {
    wire::NewPollRequest {
        question: "Tea?".to_owned(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        created_by: Some("somebody else".to_owned()),
        created_by_user_id: Some("somebody else".to_owned()),
        ..wire::NewPollRequest::default()
    }
}

async fn hear(client: &mut Client, event: u32) -> wire::Poll {
    client.hear::<wire::UpdatePollResponse>(event).await.poll.unwrap()
}

fn counts(poll: &wire::Poll) -> Vec<u64> {
    poll.options.iter().map(|option| option.count.unwrap()).collect()
}

#[tokio::test]
async fn people_ask_and_vote() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let (mut alice, mut bob) =
        (house.guest(&meeting, "Alice").await.join().await, house.guest(&meeting, "Bob").await.join().await);
    alice.tell(CREATE_POLL, &tea()).await;
    let asked = hear(&mut alice, CREATE_POLL).await;
    assert_eq!(hear(&mut bob, CREATE_POLL).await, asked, "the one who asks hears it too");
    assert_eq!((asked.created_by.as_str(), asked.created_by_user_id.clone()), ("Alice", alice.user()), "whatever she says");
    assert_eq!(counts(&asked), [0, 0]);

    let vote = wire::VotePollRequest { poll_id: asked.poll_id.clone(), index: 1 };
    bob.tell(VOTE_POLL, &vote).await;
    let told = hear(&mut alice, UPDATE_POLL).await;
    assert_eq!((counts(&told), &told.votes), (vec![0, 1], &vec![bob.user()]));
    assert_eq!(told.options[1].votes, [wire::PollVote { user_id: bob.user(), name: "Bob".to_owned() }]);
    assert_eq!(bob.refused(VOTE_POLL, &vote).await, "you have voted in this poll");
    let mut late = house.guest(&meeting, "Late").await.join().await;
    let all: wire::GetPollsResponse = late.ask(GET_POLLS, NOTHING).await.unwrap();
    assert_eq!(all.polls, [told]);
}

#[tokio::test]
async fn hidden_votes_are_not_on_the_wire() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let (mut alice, mut bob) =
        (house.guest(&meeting, "Alice").await.join().await, house.guest(&meeting, "Bob").await.join().await);
    alice.tell(CREATE_POLL, &wire::NewPollRequest { anonymous: true, ..tea() }).await;
    let poll_id = hear(&mut bob, CREATE_POLL).await.poll_id;
    bob.tell(VOTE_POLL, &wire::VotePollRequest { poll_id: poll_id.clone(), index: 0 }).await;
    let (hers, his) = (hear(&mut alice, UPDATE_POLL).await, hear(&mut bob, UPDATE_POLL).await);
    assert!(hers.hide_votes && hers.anonymous);
    assert_eq!((counts(&hers), hers.votes.len()), (vec![0, 0], 0));
    assert_eq!((counts(&his), &his.votes), (vec![1, 0], &vec![bob.user()]));
    assert!(his.options.iter().all(|option| option.votes.is_empty()));
}

#[tokio::test]
async fn each_permission_is_asked_for() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let forbidden = "the preset does not allow this";
    let without = async |name: &str| {
        let path = format!("/permissions/polls/{name}");
        house.add_changed(&meeting, name, &[(path.as_str(), json!(false))]).await.join().await
    };
    assert_eq!(without("can_create").await.refused(CREATE_POLL, &tea()).await, forbidden);
    let mut blind = without("can_view").await;
    alice.tell(CREATE_POLL, &tea()).await;
    let poll_id = hear(&mut alice, CREATE_POLL).await.poll_id;
    let vote = wire::VotePollRequest { poll_id, index: 0 };
    assert_eq!(without("can_vote").await.refused(VOTE_POLL, &vote).await, forbidden);
    assert_eq!(blind.refused(GET_POLLS, NOTHING).await, forbidden);
    assert_eq!(blind.heard(CREATE_POLL).await, 0);
    let mut outside = house.guest(&meeting, "Outside").await.connect().await;
    assert_eq!(outside.refused(GET_POLLS, NOTHING).await, "join the meeting first");
}

#[tokio::test]
async fn votes_survive_a_crash() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let alice = node.guest(&meeting, "Alice").await;
    let mut client = alice.join().await;
    client.tell(CREATE_POLL, &tea()).await;
    let poll_id = hear(&mut client, CREATE_POLL).await.poll_id;
    client.tell(VOTE_POLL, &wire::VotePollRequest { poll_id, index: 1 }).await;
    let told = hear(&mut client, UPDATE_POLL).await;
    node.kill();
    let node = Node::start(&data);
    let mut client = alice.at(&node.address).join().await;
    let all: wire::GetPollsResponse = client.ask(GET_POLLS, NOTHING).await.unwrap();
    assert_eq!(all.polls, [told]);
}
