//! What hosts do to others is in the audit log, and what people do with what is theirs is not.

use salon_core::AccountId;
use salon_store::acting::{By, Outcome};
use salon_store::{AuditEntry, AuditFilter, Chain};
use salon_wire::event_id::{chat, media, room};
use salon_wire::signaling::media::edge;
use salon_wire::signaling::socket::chat as chat_wire;
use salon_wire::signaling::socket::room as wire;

use crate::client::{Client, NOTHING};
use crate::house::House;

fn account() -> AccountId {
    AccountId::parse("dev").unwrap()
}

/// Oldest first.
async fn log(house: &House) -> Vec<AuditEntry> {
    let mut entries = house.doors.store.audit_log(&account(), &AuditFilter::default()).await.unwrap().items;
    entries.reverse();
    entries
}

async fn say(client: &mut Client, text: &str) -> String {
    let request = chat_wire::SendChatMessageToRoomRequest { payload: text.to_owned(), ..Default::default() };
    client.tell(chat::SEND_MESSAGE_TO_ROOM, &request).await;
    client.hear::<chat_wire::SendChatMessageToRoomResponse>(chat::SEND_MESSAGE_TO_ROOM).await.message.unwrap().chat_id
}

async fn delete(client: &mut Client, message: &str) {
    let request = chat_wire::DeleteChatMessageRequest { chat_id: message.to_owned(), channel_id: None };
    client.ask::<chat_wire::DeleteChatMessageResponse>(chat::DELETE_MESSAGE, &request).await.unwrap();
}

async fn rename(client: &mut Client, peer: String) {
    let request = edge::PeerDisplayNameEditRequest { participant_id: peer, display_name: "Somebody".to_owned() };
    client.ask::<edge::PeerDisplayNameEditResponse>(media::CHANGE_DISPLAY_NAME, &request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_others_is_noted_with_who_did_it_and_from_where() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut host = house.host(&meeting, "Host").await.join().await;
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let mut wanda = house.add(&meeting, "Wanda", "group_call_guest").await.connect().await;
    let mut will = house.add(&meeting, "Will", "group_call_guest").await.connect().await;
    assert!(wanda.join().await.unwrap().waitlisted && will.join().await.unwrap().waitlisted);

    host.tell(room::ACCEPT_WAITING_ROOM_REQUESTS, &wire::AcceptWaitingRoomRequests { user_ids: vec![wanda.user()] }).await;
    host.tell(room::DENY_WAITING_ROOM_REQUESTS, &wire::DenyWaitingRoomRequests { user_ids: vec![will.user()] }).await;
    let mute = edge::HostMediaControlForPeerRequest { participant_id: bob.peer(), audio: true, ..Default::default() };
    host.ask::<edge::HostMediaControlForPeerResponse>(media::HOST_CONTROL_PEER, &mute).await.unwrap();
    rename(&mut host, bob.peer()).await;
    let said = say(&mut bob, "a secret").await;
    delete(&mut host, &said).await;
    // What is one's own, and what may not be.
    let own = host.peer();
    rename(&mut host, own).await;
    host.forget().await;
    let said = say(&mut host, "mine").await;
    delete(&mut host, &said).await;
    let kick = wire::RemoveParticipantsRequest { peer_ids: vec![host.peer()] };
    bob.refused(room::KICK, &kick).await;
    host.kick(&bob.peer()).await;
    host.kick(&bob.peer()).await;
    host.tell(room::KICK_ALL, NOTHING).await;
    host.hung_up().await;

    let entries = log(&house).await;
    let found: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| (entry.act.what.as_str(), entry.act.subjects.get(1).map_or("", |(_, id)| id.as_str())))
        .collect();
    let (wanda, will, bob) = (wanda.user(), will.user(), bob.peer());
    let expected = [
        ("socket admit", wanda.as_str()),
        ("socket deny", &will),
        ("socket mute", &bob),
        ("socket rename", &bob),
        ("socket delete message", entries[4].act.subjects[1].1.as_str()),
        ("socket kick", &bob),
        ("socket kick all", ""),
    ];
    assert_eq!(found, expected);
    for AuditEntry { act, .. } in &entries {
        assert!(matches!(&act.by, By::Participant(who) if who.as_str() == host.user()), "{act:?}");
        assert_eq!(act.subjects[0], ("meeting".to_owned(), meeting.to_string()));
        assert_eq!((act.app.as_ref(), act.from.as_deref()), (Some(&crate::house::dev()), Some("127.0.0.1")));
        assert_eq!(act.outcome, Outcome::Done);
    }
    let chain = house.doors.store.verify_audit_log(&account()).await.unwrap();
    assert!(matches!(chain, Chain::Whole { entries: 7, .. }), "{chain:?}");
}
