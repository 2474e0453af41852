//! Changes of one row at once, from one node and from several: none is lost.

use salon_core::MeetingId;
use salon_store::{Error, Meeting, OpenOptions, Participant, Preset, Result, Store};
use serde_json::json;

use crate::bed::*;
use crate::rows::refused;

/// Makes a stored row what it is here, whatever it was.
pub async fn put_meeting(store: &Store, meeting: &Meeting) -> Result<()> {
    store.edit_meeting(&meeting.app, &meeting.id, |_| Ok::<_, Error>(meeting.clone())).await.map(drop)
}

pub async fn put_preset(store: &Store, preset: &Preset) -> Result<()> {
    store.edit_preset(&preset.app, &preset.id, |_| Ok::<_, Error>(preset.clone())).await.map(drop)
}

pub async fn put_participant(store: &Store, participant: &Participant) -> Result<()> {
    store.edit_participant(&participant.meeting, &participant.id, |_| Ok::<_, Error>(participant.clone())).await.map(drop)
}

/// Two nodes on one Postgres; on SQLite, which one process has, the same one twice.
async fn nodes(bed: &Bed) -> [Store; 2] {
    let options = OpenOptions { url: bed.url.clone(), durable: true, max_connections: 4 };
    let other = if bed.store.is_shared() { Store::open(&options).await.unwrap() } else { bed.store.clone() };
    [bed.store.clone(), other]
}

/// How many change a row at once, and how often each.
const AT_ONCE: usize = 4;
const TIMES: usize = 10;

on_both_engines! {
    async fn of_changes_of_a_meeting_at_once_none_is_lost(bed: Bed) {
        let a = bed.app().await;
        bed.store.create_meeting(&meeting("m", "a", Some(""))).await.unwrap();
        let nodes = nodes(&bed).await;
        let tasks: Vec<_> = (0..AT_ONCE).map(|n| {
            let (store, a) = (nodes[n % 2].clone(), a.clone());
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    let longer = |meeting: Meeting| {
                        let title = meeting.title.clone().map(|title| title + "x");
                        Ok::<_, Error>(Meeting { title, ..meeting })
                    };
                    store.edit_meeting(&a, &id::<MeetingId>("m"), longer).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let title = bed.store.meeting(&a, &id("m")).await.unwrap().unwrap().title.unwrap();
        assert_eq!(title.len(), AT_ONCE * TIMES);
    }

    async fn of_changes_of_a_preset_at_once_none_is_lost(bed: Bed) {
        let a = bed.app().await;
        let nodes = nodes(&bed).await;
        let tasks: Vec<_> = (0..AT_ONCE).map(|n| {
            let (store, a) = (nodes[n % 2].clone(), a.clone());
            tokio::spawn(async move {
                for time in 0..TIMES {
                    let one_more = |mut preset: Preset| {
                        preset.body[format!("{n}-{time}")] = json!(true);
                        Ok::<_, Error>(preset)
                    };
                    store.edit_preset(&a, &id("host"), one_more).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let before = preset("host", "a", "host").body.as_object().unwrap().len();
        let body = bed.store.preset(&a, &id("host")).await.unwrap().unwrap().body;
        assert_eq!(body.as_object().unwrap().len(), before + AT_ONCE * TIMES);
    }

    async fn of_changes_of_a_participant_at_once_none_is_lost(bed: Bed) {
        bed.app().await;
        bed.store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        bed.store.create_participant(&Participant { name: Some(String::new()), ..participant("u", "m", "a", "host") }).await.unwrap();
        let nodes = nodes(&bed).await;
        let tasks: Vec<_> = (0..AT_ONCE).map(|n| {
            let store = nodes[n % 2].clone();
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    let longer = |who: Participant| {
                        let name = who.name.clone().map(|name| name + "x");
                        Ok::<_, Error>(Participant { name, ..who })
                    };
                    store.edit_participant(&id("m"), &id("u"), longer).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let row = bed.store.participant(&id("m"), &id("u")).await.unwrap().unwrap();
        assert_eq!(row.participant.name.unwrap().len(), AT_ONCE * TIMES);
    }

    async fn a_change_is_decided_anew_on_what_was_written_in_between(bed: Bed) {
        let a = bed.app().await;
        bed.store.create_meeting(&meeting("m", "a", Some("one"))).await.unwrap();
        let m: MeetingId = id("m");
        let mut seen = Vec::new();
        let other = bed.store.clone();
        let edited = bed.store.edit_meeting(&a, &m, |meeting| {
            seen.push(meeting.title.clone().unwrap());
            if seen.len() == 1 {
                // Somebody else is faster.
                let (other, a, m) = (other.clone(), a.clone(), m.clone());
                let faster = async move {
                    let to_two = |meeting| Ok::<_, Error>(Meeting { title: Some("two".into()), ..meeting });
                    other.edit_meeting(&a, &m, to_two).await.unwrap();
                };
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(faster));
            }
            Ok::<_, Error>(Meeting { active: false, ..meeting })
        });
        let edited = edited.await.unwrap();
        assert_eq!(seen, ["one", "two"]);
        assert_eq!((edited.title.as_deref(), edited.active), (Some("two"), false));
        assert_eq!(bed.store.meeting(&a, &m).await.unwrap(), Some(edited));
    }

    async fn a_change_that_is_refused_leaves_everything(bed: Bed) {
        let a = bed.app().await;
        bed.store.create_meeting(&meeting("m", "a", Some("one"))).await.unwrap();
        refused!(bed.store.edit_meeting(&a, &id("m"), |_| Err::<Meeting, _>(Error::NotOwner)).await, Error::NotOwner);
        refused!(bed.store.edit_meeting(&a, &id("n"), Ok::<_, Error>).await, Error::NotFound);
        assert_eq!(bed.store.meeting(&a, &id("m")).await.unwrap(), Some(meeting("m", "a", Some("one"))));
    }
}
