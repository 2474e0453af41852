//! Webhooks while the server is killed in the middle of it all, and the receiver fails in every way there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use salon_core::{AppId, Notice, Record, WebhookId};
use salon_server::config::DEV_APP;
use salon_store::{Error, OpenOptions, SessionFilter, Store, Webhook};
use serde_json::{Value, json};

use crate::house::{Folder, House, dev, fresh};
use crate::node::Node;
use crate::receiver::{Heard, Mood, Receiver};

const ALL: [&str; 4] = ["meeting.started", "meeting.ended", "meeting.participantJoined", "meeting.participantLeft"];

/// How often the server is killed.
const KILLS: usize = 20;

/// What happened by the records, as the notices of each session in order.
async fn recorded(data: &std::path::Path) -> BTreeMap<String, Vec<Notice>> {
    let url = format!("sqlite:{}", data.join("salon.db").display());
    let store = Store::open(&OpenOptions { url, durable: false, max_connections: 2 }).await.unwrap();
    let app = AppId::parse(DEV_APP).unwrap();
    let mut filter = SessionFilter::default();
    filter.page.limit = 1_000;
    let mut told = BTreeMap::new();
    for session in store.sessions(&app, &filter).await.unwrap().items {
        let id = session.summary.session;
        let events = store.events(&id, 0, 1_000).await.unwrap();
        let mut record: Option<Record> = None;
        let mut notices = Vec::new();
        for event in &events {
            match &mut record {
                Some(record) => record.apply(event),
                None => record = Record::begin(event),
            }
            notices.extend(Notice::of(record.as_ref().unwrap(), event));
        }
        told.insert(id.to_string(), notices);
    }
    store.close().await;
    told
}

/// What was heard of each session: each delivery once, in the order in which it came first.
pub fn heard_first(heard: &[Heard]) -> BTreeMap<String, Vec<Value>> {
    let mut seen = BTreeMap::new();
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in heard {
        let body = one.json();
        let before = seen.insert(one.id().to_owned(), one.body.clone());
        if let Some(before) = before {
            assert_eq!(before, one.body, "what is told again is the same");
            continue;
        }
        told.entry(body["meeting"]["sessionId"].as_str().unwrap().to_owned()).or_default().push(body);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_and_none_overtakes_whatever_dies() {
    let data = Folder::new();
    let (receiver, elsewhere) = (Receiver::start(Mood::Says(200)).await, Receiver::start(Mood::Says(200)).await);
    let mut node = Node::start(&data);
    let body = json!({"name": "Hook", "url": receiver.url, "events": ALL});
    let hook = node.data("POST", "/webhooks", body).await["id"].as_str().unwrap().to_owned();
    let moods = [
        Mood::Says(200),
        Mood::Says(503),
        Mood::Hangs,
        Mood::Says(200),
        Mood::HangsUp,
        Mood::Redirects(elsewhere.url.clone()),
        Mood::Says(200),
    ];
    let meetings = [node.meeting(60).await, node.meeting(60).await, node.meeting(60).await];
    for kill in 0..KILLS {
        receiver.is(moods[kill % moods.len()].clone());
        let before = receiver.heard().len();
        let mut sockets = Vec::new();
        for (at, meeting) in meetings.iter().enumerate() {
            let guest = node.guest(meeting, &format!("guest {kill} {at}")).await;
            sockets.push(guest.join().await);
        }
        sockets.pop().unwrap().leave().await;
        if kill % 3 == 2 {
            node.data("POST", &format!("/meetings/{}/active-session/kick-all", meetings[0]), json!({})).await;
        }
        // At once, or while something is under way.
        if kill % 2 == 1 {
            receiver.hears(before + 1 + kill % 3).await;
        }
        if matches!(moods[kill % moods.len()], Mood::Redirects(_)) {
            // What was answered is written down; else it would be told again, to a receiver that is well.
            until_counted(&node, &hook, "FAILED", |count| count > 0).await;
        }
        node.kill();
        node = Node::start(&data);
    }
    // Everything ends, and the receiver is well again.
    receiver.is(Mood::Says(200));
    for meeting in &meetings {
        // A session may be over already.
        let _ = node.ask("POST", &format!("/meetings/{meeting}/active-session/kick-all"), json!({})).await;
    }
    until_counted(&node, &hook, "PENDING", |count| count == 0).await;
    let failed = node.ask("GET", &format!("/webhooks/{hook}/deliveries?status=FAILED&per_page=100"), Value::Null).await.1;
    node.kill();

    let (recorded, heard) = (recorded(&data).await, heard_first(&receiver.heard()));
    assert!(recorded.values().flatten().count() > KILLS * 6, "a lot happened");
    assert!(recorded.values().all(|notices| notices.len() > 1), "every session has ended");
    let links = salon_doors::recording_links::Links { tokens: salon_doors::tokens::Tokens::new(b"any", 1), here: "".into() };
    let written = |notices: &Vec<Notice>| -> Vec<Value> {
        notices
            .iter()
            .map(|notice| serde_json::from_slice(&salon_doors::webhook_payload::body(notice, DEV_APP, &links)).unwrap())
            .collect()
    };
    let recorded: BTreeMap<_, _> = recorded.iter().map(|(session, notices)| (session.clone(), written(notices))).collect();
    assert_eq!(recorded.keys().collect::<Vec<_>>(), heard.keys().collect::<Vec<_>>());
    for (session, told) in &recorded {
        assert_eq!(&heard[session], told, "session {session}");
    }
    // Only what was redirected was not taken, and nobody followed.
    let failed = failed["data"].as_array().unwrap();
    assert!(!failed.is_empty() && failed.iter().all(|delivery| delivery["response_status"] == 302), "{failed:#?}");
    // Some were taken, and told once more because the server died before it had written that down.
    let taken = receiver.taken();
    let ids = taken.iter().map(Heard::id).chain(failed.iter().map(|delivery| delivery["id"].as_str().unwrap()));
    let (all, known) = (recorded.values().flatten().count(), ids.collect::<BTreeSet<_>>().len());
    assert_eq!(all, known, "each was taken, or turned away");
    assert!(elsewhere.heard().is_empty());
    println!("{KILLS} kills, {all} events, {} requests heard, {} taken", receiver.heard().len(), taken.len());
}

/// Waits until so many deliveries of a webhook stand so.
pub async fn until_counted(node: &Node, hook: &str, status: &str, enough: impl Fn(u64) -> bool) {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        // A change of the webhook has what waits tried at once.
        node.data("PATCH", &format!("/webhooks/{hook}"), json!({"name": "Hook"})).await;
        let path = format!("/webhooks/{hook}/deliveries?status={status}&per_page=1");
        let (_, found) = node.ask("GET", &path, Value::Null).await;
        if found["paging"]["total_count"].as_u64().is_some_and(&enough) {
            return;
        }
        assert!(Instant::now() < until, "not enough or too many are {status}: {found:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What joining takes with somebody who is told of it, and without, in turns: connecting, joining, and the answer.
#[tokio::test(flavor = "multi_thread")]
async fn joins_wait_for_no_receiver() {
    const TURNS: usize = 16;
    const JOINS: usize = 8;
    let house = House::open().await;
    let receiver = Receiver::start(Mood::Says(200)).await;
    let (id, now) = (WebhookId::parse(&fresh()).unwrap(), house.doors.clock.now());
    let webhook = Webhook {
        id: id.clone(),
        app: dev(),
        name: "Hook".to_owned(),
        url: receiver.url.clone(),
        events: ALL.map(str::to_owned).to_vec(),
        enabled: false,
        secret: None,
        created_at: now,
        updated_at: now,
    };
    assert!(house.doors.store.create_webhook(&webhook, 8).await.unwrap());
    let meeting = house.meeting().await;
    let (mut sockets, mut took) = (Vec::new(), [const { Vec::new() }; 2]);
    for turn in 0..TURNS {
        let enabled = turn % 2 == 1;
        let change = |webhook| Ok::<_, Error>(Webhook { enabled, ..webhook });
        house.doors.store.edit_webhook(&dev(), &id, change).await.unwrap();
        let mut people = Vec::new();
        for join in 0..JOINS {
            people.push(house.guest(&meeting, &format!("guest {turn} {join}")).await);
        }
        for person in people {
            let began = Instant::now();
            sockets.push(person.join().await);
            took[usize::from(enabled)].push(began.elapsed());
        }
    }
    receiver.hears(TURNS / 2 * JOINS).await;
    for took in &mut took {
        took.sort();
    }
    let [silent, told] = took.map(|took| took[took.len() / 2]);
    println!("a join: {told:?} with a webhook, {silent:?} without, x{:.2}", told.as_secs_f64() / silent.as_secs_f64());
    // On a busy machine, which tells the receiver meanwhile and is the receiver too.
    assert!(told < silent * 2 + Duration::from_millis(100), "{told:?} {silent:?}");
}
