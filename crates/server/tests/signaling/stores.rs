//! The shared stores as clients write and read them.

use salon_core::PeerId;
use salon_core::event::StoreItem;
use salon_wire::event_id::plugins::{STORE_DELETE, STORE_DELETE_KEYS, STORE_GET_KEYS, STORE_INSERT_KEYS};
use salon_wire::signaling::socket::plugin as wire;
use serde_json::json;

use crate::client::Client;
use crate::house::{Folder, House};
use crate::node::Node;

const PLUGINS: &str = "__rtk_plugins__";

fn insert(client: &Client, store: &str, key: &str, payload: &str) -> wire::PluginStoreInsertKeysRequest {
    wire::PluginStoreInsertKeysRequest {
        plugin_id: client.person.meeting.clone(),
        store_name: store.to_owned(),
        insert_keys: vec![wire::StoreKeys { store_key: key.to_owned(), payload: Some(payload.into()) }],
    }
}

async fn read(client: &mut Client, store: &str) -> Vec<(String, String)> {
    let request = wire::PluginStoreGetKeysRequest {
        plugin_id: client.person.meeting.clone(),
        store_name: store.to_owned(),
        get_keys: Vec::new(),
    };
    let answer: wire::PluginStoreResponse = client.ask(STORE_GET_KEYS, &request).await.unwrap();
    assert_eq!((&answer.plugin_id, answer.store_name.as_str()), (&client.person.meeting, store));
    pairs(answer)
}

fn pairs(answer: wire::PluginStoreResponse) -> Vec<(String, String)> {
    answer.store_items.into_iter().map(|item| (item.store_key, String::from_utf8(item.payload).unwrap())).collect()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[tokio::test]
async fn what_one_writes_all_have() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let (mut alice, mut bob) =
        (house.guest(&meeting, "Alice").await.join().await, house.guest(&meeting, "Bob").await.join().await);
    let request = insert(&alice, "board", "a", "{\"x\":1}");
    alice.tell(STORE_INSERT_KEYS, &request).await;
    let told: wire::PluginStoreResponse = bob.hear(STORE_INSERT_KEYS).await;
    assert_eq!((&told.plugin_id, told.store_items[0].peer_id.clone()), (&meeting.to_string(), alice.peer()));
    assert!(told.store_items[0].timestamp.parse::<i64>().unwrap() > 0);
    assert_eq!(pairs(told), [pair("a", "{\"x\":1}")]);
    assert_eq!(alice.heard(STORE_INSERT_KEYS).await, 0);

    let mut late = house.guest(&meeting, "Late").await.connect().await;
    assert_eq!(read(&mut late, "board").await, [], "an answer, but nothing of a session it is not in");
    late.join().await.unwrap();
    assert_eq!(read(&mut late, "board").await, [pair("a", "{\"x\":1}")]);
    assert_eq!(read(&mut late, "another").await, []);

    let request = wire::PluginStoreDeleteKeysRequest {
        plugin_id: meeting.to_string(),
        store_name: "board".to_owned(),
        delete_keys: vec![wire::StoreKeys { store_key: "a".to_owned(), payload: None }],
    };
    bob.tell(STORE_DELETE_KEYS, &request).await;
    assert_eq!(pairs(alice.hear(STORE_DELETE_KEYS).await), [pair("a", "null")]);
    assert_eq!(read(&mut late, "board").await, []);
}

#[tokio::test]
async fn writes_come_as_often_as_the_sdk_lets_them_and_no_more() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let mut alice = house.guest(&meeting, "Alice").await.join().await;
    let request = insert(&alice, "board", "a", "1");
    for _ in 0..40 {
        alice.tell(STORE_INSERT_KEYS, &request).await;
    }
    alice.catch_up().await;
    assert_eq!(alice.heard_before(salon_wire::event_id::ERROR), 0);
    // As many as there may be, at one moment: one by one a slow machine takes long enough for all of them.
    let (writer, items) = (PeerId::parse(&alice.peer()).unwrap(), || vec![StoreItem { key: "a".into(), payload: "1".into() }]);
    let session = house.doors.hub.find(meeting.as_str()).unwrap();
    session.call(move |session, now| while session.store_set(now, &writer, "board", items()).is_ok() {}).await.unwrap();
    assert!(alice.refused(STORE_INSERT_KEYS, &request).await.starts_with("too many"));
    let mut bob = house.guest(&meeting, "Bob").await.join().await;
    let large = insert(&bob, "board", "a", &"x".repeat(16 * 1024 + 1));
    assert_eq!(bob.refused(STORE_INSERT_KEYS, &large).await, "the message is too large");
    let mut outside = house.guest(&meeting, "Outside").await.connect().await;
    assert_eq!(outside.refused(STORE_INSERT_KEYS, &request).await, "join the meeting first");
}

#[tokio::test]
async fn plugins_need_leave() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let forbidden = "the preset does not allow this";
    let changes = [("/permissions/plugins/can_start", json!(false))];
    let mut closer = house.add_changed(&meeting, "Closer", &changes).await.join().await;
    let changes = [("/permissions/plugins/can_close", json!(false))];
    let mut opener = house.add_changed(&meeting, "Opener", &changes).await.join().await;
    let (open, close) = (insert(&opener, PLUGINS, "p", "{}"), insert(&opener, PLUGINS, "p", "null"));
    assert_eq!(closer.refused(STORE_INSERT_KEYS, &open).await, forbidden);
    opener.tell(STORE_INSERT_KEYS, &open).await;
    assert_eq!(opener.refused(STORE_INSERT_KEYS, &close).await, forbidden);
    let delete = wire::PluginStoreDeleteRequest { plugin_id: meeting.to_string(), store_name: PLUGINS.to_owned() };
    assert_eq!(opener.refused(STORE_DELETE, &delete).await, forbidden);
    closer.tell(STORE_INSERT_KEYS, &close).await;
    assert_eq!(read(&mut closer, PLUGINS).await, [pair("p", "null")]);
}

#[tokio::test]
async fn stores_survive_a_crash() {
    let data = Folder::new();
    let node = Node::start(&data);
    let meeting = node.meeting(60).await;
    let alice = node.guest(&meeting, "Alice").await;
    let mut client = alice.join().await;
    let request = insert(&client, "board", "a", "1");
    client.tell(STORE_INSERT_KEYS, &request).await;
    assert_eq!(read(&mut client, "board").await, [pair("a", "1")]);
    node.kill();
    let node = Node::start(&data);
    let mut client = alice.at(&node.address).join().await;
    assert_eq!(read(&mut client, "board").await, [pair("a", "1")]);
}
