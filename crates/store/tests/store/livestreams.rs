//! Livestreams that come from elsewhere: their keys, and a session for each time that something comes.

use salon_core::event::RecordedBy;
use salon_core::notice::LivestreamStatus;
use salon_core::{RecordingId, Timestamp};
use salon_store::{Livestream, LivestreamFilter, Page};
use serde_json::json;

use crate::bed::{NOON, id, on_both_engines};

const ID: &str = "01a22cda-7fd3-77c5-84dc-ab9dcd7d2adf";
const DAY: i64 = 86_400_000;

fn livestream() -> Livestream {
    Livestream {
        id: id(ID),
        app: id("a"),
        meeting: None,
        session: None,
        run: "r0".to_owned(),
        invoked_at: None,
        name: Some("radio".to_owned()),
        secret: "5ec".to_owned(),
        status: LivestreamStatus::Idle,
        config: json!({ "here": "https://x" }),
        created_at: NOON,
        started_at: None,
        stopped_at: None,
        updated_at: NOON,
        ingest_ms: 0,
        viewer_ms: 0,
        started_by: RecordedBy::Api,
        stopped_by: None,
        error: None,
        is_kept: false,
        expires_at: None,
        node: "n1".to_owned(),
        version: 0,
        key: Some("0123456789abcdef0123456789abcdef".to_owned()),
        is_disabled: false,
    }
}

fn page(offset: u64, limit: u32) -> Page {
    Page { offset, limit, ..Page::default() }
}

on_both_engines! {
    async fn each_time_is_a_session_and_none_is_forgotten(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_livestream(&livestream()).await.unwrap();
        let runs = |offset, limit| async move {
            let found = store.livestream(&id(ID)).await.unwrap().unwrap();
            let found = store.livestream_runs(&found, &page(offset, limit)).await.unwrap();
            (found.items.into_iter().map(|one| (one.run, one.ingest_ms)).collect::<Vec<_>>(), found.total)
        };
        assert_eq!(runs(0, 10).await, (vec![], 0), "nothing has come");
        for n in 1..=3_u32 {
            let at = NOON.plus_ms(i64::from(n) * DAY);
            let begins = |livestream: &mut Livestream| {
                (livestream.run, livestream.invoked_at) = (format!("r{n}"), Some(at));
                (livestream.status, livestream.ingest_ms) = (LivestreamStatus::Live, 0);
            };
            store.edit_livestream(&id(ID), at, begins).await.unwrap();
            let ends = |livestream: &mut Livestream| {
                (livestream.status, livestream.ingest_ms) = (LivestreamStatus::Idle, u64::from(n) * 1_000);
            };
            store.edit_livestream(&id(ID), at, ends).await.unwrap();
        }
        let of = |n: u64| (format!("r{n}"), n * 1_000);
        assert_eq!(runs(0, 10).await, (vec![of(3), of(2), of(1)], 3));
        assert_eq!(runs(0, 1).await, (vec![of(3)], 3));
        assert_eq!(runs(1, 1).await, (vec![of(2)], 3));
        assert_eq!(runs(2, 10).await, (vec![of(1)], 3));
        let past = store.livestream_of_run("r1").await.unwrap().unwrap();
        assert_eq!((past.id, past.ingest_ms, past.invoked_at), (id::<RecordingId>(ID), 1_000, Some(NOON.plus_ms(DAY))));
        assert!(store.livestream_of_run("r0").await.unwrap().is_none(), "in that nothing came");
        let days = store.livestream_days(&id("a"), Timestamp(0), NOON.plus_ms(9 * DAY)).await.unwrap();
        assert_eq!(days.iter().map(|day| (day.livestreams, day.ingest_ms)).collect::<Vec<_>>(), [(1, 1_000), (1, 2_000), (1, 3_000)]);
        // It is of no session, and goes with none.
        assert_eq!(store.forget_livestreams().await.unwrap(), 0);
        // What was streamed before is forgotten in time, and the last is not.
        assert!(store.clear_livestream_sessions(NOON.plus_ms(2 * DAY)).await.unwrap());
        assert_eq!(runs(0, 10).await, (vec![of(3), of(2)], 2));
        assert!(store.clear_livestream_sessions(NOON.plus_ms(99 * DAY)).await.unwrap());
        assert_eq!(runs(0, 10).await, (vec![of(3)], 1));
        let of_none = LivestreamFilter { page: page(0, 5), of_none: true, ..LivestreamFilter::default() };
        assert_eq!(store.livestreams(&id("a"), &of_none).await.unwrap().total, 1);
    }
}

#[test]
fn a_stream_key_says_whose_it_is_and_nothing_else_is_one() {
    let key = livestream().stream_key().unwrap();
    let (found, secret) = Livestream::of_stream_key(&key).unwrap();
    assert_eq!((found, Some(secret)), (id(ID), livestream().key.as_deref()));
    let upper = key.to_uppercase();
    let longer = format!("{key}0");
    for odd in ["", "live", &key[..63], &longer, &upper, &key[..32], "\u{e9}".repeat(32).as_str()] {
        assert_eq!(Livestream::of_stream_key(odd), None, "{odd}");
    }
    assert!(!format!("{:?}", livestream()).contains("0123456789abcdef"), "it is in no log");
}
