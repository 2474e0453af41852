//! Shared stores: what is written is read by all, and stays within its bounds.

use super::minutes::{Minutes, guest, id, preset};
use crate::event::StoreItem;
use crate::ids::TrackId;
use crate::limits::{
    MAX_STORE_BYTES, MAX_STORE_KEY_BYTES, MAX_STORE_KEYS, MAX_STORE_NAME_BYTES, MAX_STORE_VALUE_BYTES, MAX_STORE_WRITE_KEYS,
    MAX_STORES, STORE_WRITES_PER_SECOND,
};
use crate::session::Refusal;

fn item(key: &str, payload: &str) -> StoreItem {
    StoreItem { key: key.to_string(), payload: payload.to_string() }
}

fn sets(meeting: &mut Minutes, second: i64, peer: &str, store: &str, items: Vec<StoreItem>) -> Result<(), Refusal> {
    let what = format!("{peer} writes");
    meeting.act(second, &what, |session, now| session.store_set(now, &id(peer), store, items))
}

fn deletes(meeting: &mut Minutes, peer: &str, store: &str, keys: Option<&[&str]>) -> Result<(), Refusal> {
    let keys = keys.map(|keys| keys.iter().map(ToString::to_string).collect());
    meeting.act(9, &format!("{peer} deletes"), |session, now| session.store_delete(now, &id(peer), store, keys))
}

fn reads(meeting: &Minutes, peer: &str, store: &str) -> Vec<(String, String)> {
    let view = meeting.session.store_get(&id(peer), store, &[]).unwrap();
    view.items.into_iter().map(|(key, stored)| (key, stored.payload)).collect()
}

#[test]
fn what_one_writes_the_others_are_told_and_late_ones_read() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    meeting.joins(0, "bo", &guest());
    sets(&mut meeting, 1, "ana", "board", vec![item("a", "1"), item("b", "2")]).unwrap();
    assert!(meeting.text().contains("\n     to bo: board written: a=1, b=2\n"), "{}", meeting.text());
    sets(&mut meeting, 2, "bo", "board", vec![item("a", "3")]).unwrap();
    meeting.dies(3, 4);
    meeting.joins(5, "ana", &guest());
    meeting.joins(5, "cy", &guest());
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    assert_eq!(reads(&meeting, "cy", "board"), [pair("a", "3"), pair("b", "2")]);
    let some = meeting.session.store_get(&id("cy"), "board", &["a".to_string(), "z".to_string()]).unwrap();
    assert_eq!((some.items.len(), some.items[0].1.author.clone()), (1, id("bo")));
    deletes(&mut meeting, "ana", "board", Some(&["a", "z"])).unwrap();
    assert!(meeting.text().contains("to cy: board deleted: a=null"), "{}", meeting.text());
    deletes(&mut meeting, "ana", "board", None).unwrap();
    assert_eq!(reads(&meeting, "cy", "board"), []);
    assert_eq!(meeting.session.record().unwrap().stores.bytes(), 0);
    assert!(meeting.session.record().unwrap().stores.is_empty());
}

#[test]
fn plugins_are_opened_and_closed_by_those_who_may() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "closer", &preset(|preset| preset.plugins.can_start = false));
    meeting.joins(0, "opener", &preset(|preset| preset.plugins.can_close = false));
    let plugins = "__rtk_plugins__";
    assert_eq!(sets(&mut meeting, 1, "closer", plugins, vec![item("p", "{}")]), Err(Refusal::NotAllowed));
    sets(&mut meeting, 1, "opener", plugins, vec![item("p", "{}")]).unwrap();
    assert_eq!(sets(&mut meeting, 1, "opener", plugins, vec![item("p", "null")]), Err(Refusal::NotAllowed));
    assert_eq!(deletes(&mut meeting, "opener", plugins, None), Err(Refusal::NotAllowed));
    sets(&mut meeting, 1, "closer", plugins, vec![item("p", " null")]).unwrap();
    sets(&mut meeting, 1, "closer", "another", vec![item("p", "{}")]).unwrap();
    assert_eq!(sets(&mut meeting, 1, "nobody", "another", vec![item("p", "{}")]), Err(Refusal::NotJoined));
    assert_eq!(meeting.session.store_get(&id("nobody"), "another", &[]), Err(Refusal::NotJoined));
}

#[test]
fn stores_have_bounds() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let large = "x".repeat(MAX_STORE_VALUE_BYTES);
    assert_eq!(sets(&mut meeting, 0, "ana", "s", vec![item("k", &(large.clone() + "x"))]), Err(Refusal::TooLarge));
    assert_eq!(sets(&mut meeting, 0, "ana", "s", vec![item(&"k".repeat(257), "")]), Err(Refusal::TooLarge));
    assert_eq!(sets(&mut meeting, 0, "ana", &"s".repeat(129), vec![item("k", "")]), Err(Refusal::TooLarge));
    let many = |from: usize, count: usize| (from..from + count).map(|n| item(&format!("k{n}"), "1")).collect::<Vec<_>>();
    assert_eq!(sets(&mut meeting, 0, "ana", "s", many(0, MAX_STORE_WRITE_KEYS + 1)), Err(Refusal::TooLarge));
    for n in 1..=STORE_WRITES_PER_SECOND {
        sets(&mut meeting, 0, "ana", "s", vec![item("k", &n.to_string())]).unwrap();
    }
    assert_eq!(sets(&mut meeting, 0, "ana", "s", vec![item("k", "once more")]), Err(Refusal::TooOften));
    let mut second = 1;
    let mut keys = 1;
    while keys + 50 <= MAX_STORE_KEYS {
        sets(&mut meeting, second, "ana", "s", many(keys, 50)).unwrap();
        (keys, second) = (keys + 50, second + 1);
    }
    assert_eq!(sets(&mut meeting, second, "ana", "s", many(keys, 50)), Err(Refusal::Full));
    for n in 1..MAX_STORES {
        second += 1;
        sets(&mut meeting, second, "ana", &format!("s{n}"), many(0, 1)).unwrap();
    }
    assert_eq!(sets(&mut meeting, second, "ana", "one more", many(0, 1)), Err(Refusal::Full));
    let full = loop {
        second += 1;
        let held = meeting.session.record().unwrap().stores.get("s1").unwrap().len();
        let items = (0..50).map(|n| item(&format!("x{}", held + n), &large)).collect();
        if let Err(refusal) = sets(&mut meeting, second, "ana", "s1", items) {
            break refusal;
        }
    };
    assert_eq!(full, Refusal::Full);
    assert!(meeting.session.record().unwrap().stores.bytes() <= MAX_STORE_BYTES);
}

#[test]
fn who_comes_back_hears_what_others_wrote_and_deleted_and_whose_microphone_is_on() {
    let mut meeting = Minutes::new();
    for peer in ["ana", "bo"] {
        meeting.enters(0, peer, &guest());
        meeting.publishes(0, peer, "mic").unwrap();
    }
    let writes = |meeting: &mut Minutes, second, peer, key| sets(meeting, second, peer, "board", vec![item(key, "1")]).unwrap();
    writes(&mut meeting, 1, "ana", "old");
    writes(&mut meeting, 1, "ana", "gone");
    meeting.drops(60, "bo");
    writes(&mut meeting, 61, "ana", "new");
    writes(&mut meeting, 61, "ana", "brief");
    for key in ["gone", "brief"] {
        let keys = Some(vec![key.to_owned()]);
        meeting.act(62, "ana deletes", |session, now| session.store_delete(now, &id("ana"), "board", keys)).unwrap();
    }
    writes(&mut meeting, 63, "ana", "brief");
    let mic = TrackId::parse("ana-mic").unwrap();
    meeting.act(63, "ana mutes", |session, now| session.set_paused(now, &id("ana"), &mic, true)).unwrap();
    let told = meeting.text().len();
    meeting.joins(64, "bo", &guest());
    meeting.completes(64, "bo");
    let text = meeting.text();
    let told: Vec<&str> = text[told..].lines().filter(|line| line.contains("to bo: ")).map(str::trim).collect();
    assert_eq!(
        told,
        ["to bo: ana-mic off by the server", "to bo: board written: brief=1, new=1", "to bo: board deleted: gone=null"]
    );

    let told = meeting.text().len();
    meeting.completes(65, "bo");
    assert!(!meeting.text()[told..].contains("to bo: board"), "once for each return: {}", &meeting.text()[told..]);
}

#[test]
fn the_bytes_of_a_session_are_counted_to_the_last() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let of = |key: &str, bytes: usize| item(key, &"x".repeat(bytes - key.len()));
    let count = MAX_STORE_BYTES / MAX_STORE_VALUE_BYTES;
    let keys: Vec<String> = (0..count).map(|n| format!("k{n}")).collect();
    for (second, keys) in keys.chunks(MAX_STORE_WRITE_KEYS).enumerate() {
        let items = keys.iter().map(|key| of(key, MAX_STORE_VALUE_BYTES)).collect();
        sets(&mut meeting, second as i64, "ana", "s", items).unwrap();
    }
    assert_eq!(meeting.session.record().unwrap().stores.bytes(), MAX_STORE_BYTES);
    let mut writes = |second, store: &str, key: &str, bytes| sets(&mut meeting, second, "ana", store, vec![of(key, bytes)]);
    assert_eq!(writes(10, "s", "z", 1), Err(Refusal::Full), "another key");
    assert_eq!(writes(10, "t", "z", 1), Err(Refusal::Full), "another store");
    assert_eq!(writes(10, "s", "k0", MAX_STORE_VALUE_BYTES + 1), Err(Refusal::Full), "one byte longer");
    assert_eq!(writes(10, "s", "k0", MAX_STORE_VALUE_BYTES), Ok(()), "as long as before");
    assert_eq!(writes(10, "s", "k0", MAX_STORE_VALUE_BYTES - 3), Ok(()), "shorter");
    assert_eq!(writes(11, "s", "zz", 4), Err(Refusal::Full));
    assert_eq!(writes(11, "s", "zz", 3), Ok(()), "what was given back");
}

#[test]
fn what_just_fits_is_taken() {
    let mut meeting = Minutes::new();
    meeting.joins(0, "ana", &guest());
    let many = |from: usize, count: usize| (from..from + count).map(|n| item(&format!("k{n}"), "1")).collect::<Vec<_>>();
    let longest = item(&"k".repeat(MAX_STORE_KEY_BYTES), &"x".repeat(MAX_STORE_VALUE_BYTES));
    sets(&mut meeting, 0, "ana", &"s".repeat(MAX_STORE_NAME_BYTES), vec![longest]).unwrap();
    let mut keys = 0;
    while keys < MAX_STORE_KEYS {
        let count = MAX_STORE_WRITE_KEYS.min(MAX_STORE_KEYS - keys);
        sets(&mut meeting, 1 + keys as i64, "ana", "s", many(keys, count)).unwrap();
        keys += count;
    }
    assert_eq!(sets(&mut meeting, 2_000, "ana", "s", many(keys, 1)), Err(Refusal::Full));
    sets(&mut meeting, 2_000, "ana", "s", many(0, 1)).unwrap();
    let delete = |meeting: &mut Minutes, count: usize| {
        let keys = Some((0..count).map(|n| format!("k{n}")).collect());
        meeting.act(2_001, "ana deletes", |session, now| session.store_delete(now, &id("ana"), "s", keys))
    };
    assert_eq!(delete(&mut meeting, MAX_STORE_WRITE_KEYS + 1), Err(Refusal::TooLarge));
    assert_eq!(delete(&mut meeting, MAX_STORE_WRITE_KEYS), Ok(()));
    assert_eq!(reads(&meeting, "ana", "s").len(), MAX_STORE_KEYS - MAX_STORE_WRITE_KEYS);
}
