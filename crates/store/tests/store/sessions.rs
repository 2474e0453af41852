//! Sessions as they are listed and read back.

use salon_core::{EventBody, Timestamp};
use salon_store::{Corrupt, Error, LiveFilter, MAX_EVENTS, Page, SessionFilter, SessionSort};

use crate::bed::*;
use crate::rows::refused;
use crate::script::Script;

const HOUR: i64 = 3_600_000;

/// Three sessions of the app `a`: one over with much time spent, one live with two people, one live with nobody yet.
async fn some_sessions(bed: &Bed) {
    let run = bed.run("n1", "r1").await;
    let mut over = Script::start_at("over", "m1", "Weekly 100%", NOON);
    over.join(0, "ann").join(0, "bob").join(0, "cy").end(HOUR);
    let mut live = Script::start_at("live", "m1", "Weekly 1000", NOON.plus_ms(2 * HOUR));
    live.join(0, "ann").join(10, "bob");
    let mut empty = Script::start_at("empty", "m2", "Übung", NOON.plus_ms(3 * HOUR));
    for script in [&mut over, &mut live, &mut empty] {
        if script.record.ended.is_some() {
            // A session ends with everyone out of it.
            let end = script.events.pop().unwrap();
            script.record = salon_core::Record::fold(&script.events).unwrap();
            for peer in ["ann", "bob", "cy"] {
                let reason = salon_core::event::LeaveReason::Ended;
                script.then(HOUR, EventBody::PeerLeft { peer: id(peer), left_at: NOON.plus_ms(HOUR), reason });
            }
            script.then(HOUR, end.body);
        }
        bed.store.append(script.append(&run)).await.unwrap();
    }
}

on_both_engines! {
    async fn sessions_are_filtered(bed: Bed) {
        some_sessions(&bed).await;
        let oldest_first = Page { newest_first: false, ..Page::default() };
        let all = SessionFilter { page: oldest_first.clone(), ..Default::default() };
        let search = |text: &str| Page { search: Some(text.into()), ..oldest_first.clone() };
        let cases = [
            (all.clone(), "over live empty"),
            (SessionFilter { page: Page::default(), ..all.clone() }, "empty live over"),
            (SessionFilter { live: Some(true), ..all.clone() }, "live empty"),
            (SessionFilter { live: Some(false), ..all.clone() }, "over"),
            (SessionFilter { meeting: Some(id("m1")), ..all.clone() }, "over live"),
            (SessionFilter { from: Some(NOON.plus_ms(1)), ..all.clone() }, "live empty"),
            (SessionFilter { from: Some(NOON), to: Some(NOON.plus_ms(2 * HOUR)), ..all.clone() }, "over live"),
            (SessionFilter { participants_min: Some(2), ..all.clone() }, "over live"),
            (SessionFilter { participants_min: Some(1), participants_max: Some(2), ..all.clone() }, "live"),
            (SessionFilter { participants_max: Some(0), ..all.clone() }, "empty"),
            (SessionFilter { page: search("weekly"), ..all.clone() }, "over live"),
            (SessionFilter { page: search("100%"), ..all.clone() }, "over"),
            (SessionFilter { page: search("übung"), ..all.clone() }, "empty"),
            (SessionFilter { page: search("M2"), ..all.clone() }, "empty"),
            (SessionFilter { page: search("LIVE"), live: Some(true), ..all.clone() }, "live"),
            (SessionFilter { page: Page { offset: 1, limit: 1, ..oldest_first.clone() }, ..all.clone() }, "live"),
        ];
        for (filter, expected) in cases {
            let list = bed.store.sessions(&id("a"), &filter).await.unwrap();
            let found: Vec<_> = list.items.iter().map(|row| row.summary.session.to_string()).collect();
            assert_eq!(found.join(" "), expected, "{filter:?}");
            if filter.page.limit > 1 {
                assert_eq!(list.total, found.len() as u64);
            }
        }
        assert_eq!(bed.store.sessions(&id("b"), &all).await.unwrap().total, 0);
        assert_eq!(bed.store.session_row(&id("b"), &id("live")).await.unwrap(), None);
        assert_eq!(bed.store.session_row(&id("a"), &id("none")).await.unwrap(), None);
    }

    async fn live_sessions_are_listed_from_a_place_on(bed: Bed) {
        some_sessions(&bed).await;
        let list = async |filter: LiveFilter, after: Option<(Timestamp, &str)>, limit| {
            let after = after.map(|(at, session)| (at, id(session)));
            let rows = bed.store.live_sessions(&id("a"), &filter, after, limit).await.unwrap();
            rows.iter().map(|row| row.summary.session.to_string()).collect::<Vec<_>>().join(" ")
        };
        let (all, began) = (LiveFilter::default, |hours: i64| NOON.plus_ms(hours * HOUR));
        assert_eq!(list(all(), None, 10).await, "empty live");
        assert_eq!(list(all(), None, 1).await, "empty");
        assert_eq!(list(all(), Some((began(3), "empty")), 10).await, "live");
        assert_eq!(list(all(), Some((began(3), "z")), 10).await, "empty live", "of the same moment, by id");
        assert_eq!(list(all(), Some((began(2), "live")), 10).await, "");
        assert_eq!(list(LiveFilter { meeting: Some(id("m1")), ..all() }, None, 10).await, "live");
        assert_eq!(list(LiveFilter { people_min: Some(1), ..all() }, None, 10).await, "live");
        assert_eq!(list(LiveFilter { search: Some("ÜBUNG".to_owned()), ..all() }, None, 10).await, "empty");
        for (node, found) in [("n1", "empty live"), ("n2", "")] {
            assert_eq!(list(LiveFilter { node: Some(node.to_owned()), ..all() }, None, 10).await, found);
        }
    }

    async fn minutes_of_live_sessions_grow_while_they_are_sorted(bed: Bed) {
        some_sessions(&bed).await;
        let sorted = async |now_ms: i64, newest_first| {
            let page = Page { newest_first, ..Page::default() };
            let now = NOON.plus_ms(now_ms);
            let filter = SessionFilter { page, sort: SessionSort::MinutesConsumed, now, ..Default::default() };
            let list = bed.store.sessions(&id("a"), &filter).await.unwrap();
            let minutes: Vec<_> = list.items.iter().map(|row| row.summary.minutes_consumed(now)).collect();
            assert!(minutes.is_sorted_by(|a, b| if newest_first { a >= b } else { a <= b }), "{minutes:?}");
            list.items.iter().map(|row| row.summary.session.to_string()).collect::<Vec<_>>().join(" ")
        };
        // Three people spent an hour in `over`; the two in `live` pass them after an hour and a half.
        assert_eq!(sorted(3 * HOUR, true).await, "over live empty");
        assert_eq!(sorted(4 * HOUR, true).await, "live over empty");
        assert_eq!(sorted(4 * HOUR, false).await, "empty over live");
    }

    async fn a_long_record_is_read_in_pages(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        talk.join(0, "ann");
        for n in 0..2 * i64::from(MAX_EVENTS) - 2 {
            talk.rename(n, "ann", &format!("Ann {n}"));
        }
        bed.store.append(talk.append(&run)).await.unwrap();
        assert_eq!(talk.events.len(), 2 * MAX_EVENTS as usize);
        assert_eq!(bed.store.events(&id("s"), 0, u32::MAX).await.unwrap().len(), MAX_EVENTS as usize);
        assert_eq!(bed.store.record(&id("s")).await.unwrap(), Some(talk.record));
        assert_eq!(bed.store.record(&id("none")).await.unwrap(), None);
        assert_eq!(bed.store.events(&id("s"), u64::MAX, 5).await.unwrap(), []);
    }

    async fn what_cannot_be_read_is_named(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        for (n, damage) in [
            "update session_events set kind = 'unheard_of' where session_id = 's0' and seq = 2",
            "update session_events set body = '{' where session_id = 's1' and seq = 2",
            "update session_events set body = '{\"peer\":7}' where session_id = 's2' and seq = 2",
            "delete from session_events where session_id = 's3' and seq = 2",
        ].iter().enumerate() {
            let session = format!("s{n}");
            let mut talk = Script::start(&session, &session);
            talk.join(1, "ann").join(2, "bob");
            bed.store.append(talk.append(&run)).await.unwrap();
            bed.raw(damage).await;
            let expected = Corrupt::Event { session: id(&session), seq: 2 };
            for result in [
                bed.store.record(&id(&session)).await.map(drop),
                bed.store.events(&id(&session), 1, 10).await.map(drop),
            ] {
                assert!(matches!(&result, Err(Error::Corrupt(found)) if *found == expected), "{damage}: {result:?}");
            }
        }
        bed.raw("delete from session_events where session_id = 's0' and seq = 1").await;
        refused!(bed.store.record(&id("s0")).await, Error::Corrupt(Corrupt::Event { seq: 1, .. }));
        bed.raw("update sessions set live = -1 where id = 's0'").await;
        refused!(bed.store.session_row(&id("a"), &id("s0")).await, Error::Corrupt(Corrupt::Column { column: "live" }));
    }
}
