//! Many who watch while the server is killed again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use salon_core::{AppId, Record};
use salon_doors::people;
use salon_server::config::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use salon_store::{OpenOptions, SessionFilter, Store};
use serde_json::json;
use tokio::sync::watch;

use crate::house::Folder;
use crate::node::Node;
use crate::watcher::{Folded, Stream};

/// How often the server is killed, and how many watch.
const KILLS: usize = 20;
const WATCHERS: usize = 50;

/// What the records say: of each session the people after each event that changed them, by its number.
async fn recorded(data: &std::path::Path) -> BTreeMap<String, BTreeMap<u64, String>> {
    let url = format!("sqlite:{}", data.join("salon.db").display());
    let store = Store::open(&OpenOptions { url, durable: false, max_connections: 2 }).await.unwrap();
    let app = AppId::parse(DEV_APP).unwrap();
    let mut sessions = BTreeMap::new();
    for session in store.sessions(&app, &SessionFilter::default()).await.unwrap().items {
        let id = session.summary.session;
        let mut record: Option<Record> = None;
        let mut states = BTreeMap::new();
        loop {
            let events = store.events(&id, record.as_ref().map_or(0, |record| record.seq), 1_000).await.unwrap();
            if events.is_empty() {
                break;
            }
            for event in &events {
                match &mut record {
                    Some(record) => record.apply(event),
                    None => record = Record::begin(event),
                }
                let record = record.as_ref().unwrap();
                if record.people_seq == event.seq {
                    let people = serde_json::to_value(people::people(record, event.at, 0.0)).unwrap();
                    states.insert(event.seq, Folded::of_record(&people));
                }
            }
        }
        sessions.insert(id.to_string(), states);
    }
    store.close().await;
    sessions
}

/// Watches until the session that it saw first is over, whatever happens to the server; answers with what it heard, and the
/// people after each of it.
async fn watches(mut at: watch::Receiver<SocketAddr>, meeting: String) -> (Folded, Vec<String>) {
    let (mut folded, mut states) = (Folded::default(), Vec::new());
    let path = format!(
        "/client/v4/accounts/{DEV_ACCOUNT}/realtime/kit/{DEV_APP}/meetings/{meeting}/active-session/people/stream?wait=1"
    );
    let token = format!("Bearer {DEV_TOKEN}");
    loop {
        let address = *at.borrow_and_update();
        let mut headers = vec![("authorization", token.as_str())];
        let last = folded.last_id.clone();
        headers.extend(last.as_deref().map(|last| ("last-event-id", last)));
        if let Ok(mut stream) = Stream::open(address, &path, &headers).await {
            while let Some(event) = stream.next().await {
                folded.take(&event);
                if event.id.is_none() {
                    continue;
                }
                if event.name == "ended" {
                    return (folded, states);
                }
                states.push(Folded::of_record(&folded.now));
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_who_watch_miss_nothing_and_hear_nothing_twice_though_the_server_is_killed_twenty_times() {
    let data = Folder::new();
    let mut node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let (told_at, at) = watch::channel(node.address.parse().unwrap());
    let told_at = Arc::new(told_at);
    let watching: Vec<_> = (0..WATCHERS).map(|_| tokio::spawn(watches(at.clone(), meeting.clone()))).collect();
    let mut sockets = Vec::new();
    for kill in 0..KILLS {
        for guest in 0..2 {
            sockets.push(node.guest(&meeting, &format!("guest {kill} {guest}")).await.join().await);
        }
        let mut speaks = node.guest(&meeting, &format!("speaker {kill}")).await.join_with_media().await;
        let microphone = speaks.publish("audio").await.unwrap();
        speaks.pause(&microphone, true).await;
        sockets.pop().unwrap().leave().await;
        sockets.push(speaks);
        // At once, or when some have heard of it and some have not.
        tokio::time::sleep(Duration::from_millis(kill as u64 % 4 * 30)).await;
        node.kill();
        sockets.clear();
        node = Node::start(&data);
        told_at.send_replace(node.address.parse().unwrap());
    }
    node.data("POST", &format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await;
    let mut heard = Vec::new();
    for watcher in watching {
        heard.push(watcher.await.unwrap());
    }
    node.kill();
    let recorded = recorded(&data).await;
    let mut numbers = 0;
    for (folded, states) in &heard {
        assert_eq!(folded.resets, 1, "whoever comes back is told of what was missed");
        let first = folded.told[0].data["seq"].as_u64().unwrap();
        let session = &recorded[folded.told[0].data["session_id"].as_str().unwrap()];
        let told: Vec<u64> = folded.told.iter().map(|event| event.data["seq"].as_u64().unwrap()).collect();
        let wanted: Vec<u64> = session.range(first..).map(|(seq, _)| *seq).collect();
        assert_eq!(told, wanted, "each event once, in order");
        let wanted: Vec<&String> = session.range(first..).map(|(_, state)| state).collect();
        assert!(states.iter().zip(&wanted).all(|(state, wanted)| state == *wanted), "the people are those of the record");
        assert_eq!(states.len() + 1, wanted.len());
        numbers += told.len();
    }
    assert!(numbers > WATCHERS * KILLS * 6, "a lot happened");
    println!("{KILLS} kills, {WATCHERS} watched, {numbers} events heard, none missed and none twice");
}
