//! What is kept beside the records so that nobody reads them through: who was in which session, and sums of days.

use std::time::Instant;

use salon_core::event::LeaveReason;
use salon_core::{EventBody, SessionId, Timestamp};
use salon_store::{DAY_MS, Page, PeerRow, PeerSort, Person, SessionDay, SessionFilter, Store, day_of, quarter_of};

use crate::bed::*;
use crate::script::Script;

const HOUR: i64 = 3_600_000;

fn oldest_first() -> Page {
    Page { newest_first: false, ..Page::default() }
}

async fn people(store: &Store, session: &str) -> Vec<PeerRow> {
    let found = store.session_peers(&id(session), &oldest_first(), PeerSort::JoinedAt, NOON).await.unwrap();
    found.expect("it is indexed").items
}

/// The rows that the record itself gives.
async fn folded(store: &Store, session: &str) -> Vec<PeerRow> {
    let record = store.record(&id(session)).await.unwrap().expect("a record");
    let mut rows: Vec<_> = record.peers.values().map(|peer| PeerRow::of(&record, peer)).collect();
    rows.sort_by_key(|row| row.order);
    // The store has no letter for NUL.
    rows.iter_mut().for_each(|row| row.name = row.name.replace('\0', "\u{fffd}"));
    rows
}

async fn total(store: &Store, filter: &SessionFilter) -> u64 {
    store.sessions(&id("a"), filter).await.unwrap().total
}

on_both_engines! {
    async fn after_each_append_the_rows_are_what_the_record_says(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut script = Script::start("live", "m1");
        let steps: [&dyn Fn(&mut Script) -> u64; 8] = [
            &|script| script.join(0, "ann").join(10, "bob").record.seq,
            &|script| script.rename(20, "bob", "Robert").record.seq,
            &|script| {
                script.then(30, EventBody::PeerDisconnected { peer: id("ann"), seen: NOON.plus_ms(25) }).record.seq
            },
            &|script| script.then(40, EventBody::PeerReconnected { peer: id("ann") }).record.seq,
            &|script| script.leave(50, "ann").join(60, "ann").leave(70, "ann").record.seq,
            &|script| {
                let (left_at, reason) = (NOON.plus_ms(85), LeaveReason::Kicked);
                script.join(80, "cy").then(90, EventBody::PeerLeft { peer: id("bob"), left_at, reason }).record.seq
            },
            &|script| script.leave(100, "cy").record.seq,
            &|script| script.end(110).record.seq,
        ];
        for step in steps {
            step(&mut script);
            bed.store.append(script.append(&run)).await.unwrap();
            assert_eq!(people(&bed.store, "live").await, folded(&bed.store, "live").await);
        }
        let rows = people(&bed.store, "live").await;
        let told: Vec<_> = rows.iter().map(|row| (row.peer.as_str(), row.duration_ms(NOON), row.reason_name())).collect();
        assert_eq!(told, [("ann", 60, Some("left")), ("bob", 75, Some("kicked")), ("cy", 20, Some("left"))]);
    }

    async fn a_session_that_is_ended_from_outside_ends_for_those_in_it_too(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut script = Script::start("live", "m1");
        script.join(0, "ann").join(0, "bob").then(10, EventBody::PeerDisconnected { peer: id("bob"), seen: NOON.plus_ms(5) });
        bed.store.append(script.append(&run)).await.unwrap();
        let ended_at = bed.store.end_session(&id("live"), NOON.plus_ms(HOUR)).await.unwrap();
        let rows = people(&bed.store, "live").await;
        let told: Vec<_> = rows.iter().map(|row| (row.duration_ms(NOON.plus_ms(9 * HOUR)), row.reason_name())).collect();
        assert_eq!(told, [(ended_at.since(NOON), Some("ended")), (5, Some("ended"))]);
        assert_eq!(rows, folded(&bed.store, "live").await);
        let day = bed.store.session_days(&id("a"), 0, i64::MAX).await.unwrap();
        let settled_ms: i64 = rows.iter().map(|row| row.duration_ms(NOON)).sum();
        assert_eq!(day, [SessionDay { day: day_of(NOON), sessions: 1, settled_ms, listed: 1 }]);
    }

    async fn sessions_of_an_earlier_version_are_indexed_the_newest_first_and_one_bad_one_stops_nothing(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        for (place, session) in ["old", "bad", "new"].iter().enumerate() {
            let mut script = Script::start_at(session, session, "Weekly", NOON.plus_ms(place as i64));
            script.join(0, "ann").join(5, "bob").leave(HOUR, "bob");
            bed.store.append(script.append(&run)).await.unwrap();
        }
        let expected = people(&bed.store, "old").await;
        bed.raw("delete from session_peers").await;
        bed.raw("update sessions set peers_seq = 0").await;
        bed.raw("update session_events set kind = 'nonsense' where session_id = 'bad' and seq = 2").await;
        let is_indexed = async |session: &str| {
            bed.store.session_peers(&id(session), &oldest_first(), PeerSort::JoinedAt, NOON).await.unwrap().is_some()
        };
        assert!(!is_indexed("new").await, "whoever asks reads the record itself");
        assert!(bed.store.index_next().await.unwrap());
        assert_eq!((is_indexed("new").await, is_indexed("old").await), (true, false));
        assert!(bed.store.index_next().await.unwrap() && bed.store.index_next().await.unwrap());
        assert!(!bed.store.index_next().await.unwrap(), "nothing is left to do");
        assert_eq!(people(&bed.store, "old").await, expected);
    }

    async fn a_session_that_an_earlier_version_goes_on_with_is_indexed_anew(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut script = Script::start("live", "m1");
        script.join(0, "ann");
        bed.store.append(script.append(&run)).await.unwrap();
        // An event of which only the record and `last_seq` hear.
        script.join(10, "bob");
        let mut part = script.part();
        part.peers.clear();
        bed.store.append(salon_store::Append { run: run.clone(), sessions: vec![part], acts: Vec::new() }).await.unwrap();
        bed.raw("update sessions set peers_seq = last_seq - 1").await;
        script.leave(20, "ann");
        bed.store.append(script.append(&run)).await.unwrap();
        assert!(bed.store.index_next().await.unwrap(), "what is behind stays behind until it is read anew");
        assert_eq!(people(&bed.store, "live").await, folded(&bed.store, "live").await);
        script.leave(30, "bob");
        bed.store.append(script.append(&run)).await.unwrap();
        assert!(!bed.store.index_next().await.unwrap(), "and then it keeps up");
    }

    async fn people_of_a_session_are_searched_sorted_and_paged(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut script = Script::start("live", "m1");
        script.join(0, "ann").join(10, "bob").join(20, "cy").rename(30, "cy", "Ünal 100%").leave(1_010, "bob");
        bed.store.append(script.append(&run)).await.unwrap();
        let find = async |page: Page, sort| {
            let found = bed.store.session_peers(&id("live"), &page, sort, NOON.plus_ms(500)).await.unwrap().expect("indexed");
            let peers: Vec<_> = found.items.iter().map(|row| row.peer.to_string()).collect();
            (peers.join(" "), found.total)
        };
        assert_eq!(find(Page::default(), PeerSort::JoinedAt).await, ("cy bob ann".into(), 3));
        assert_eq!(find(oldest_first(), PeerSort::Duration).await, ("cy ann bob".into(), 3), "480, 500 and 1000 ms");
        assert_eq!(find(Page { offset: 1, limit: 1, ..oldest_first() }, PeerSort::JoinedAt).await, ("bob".into(), 3));
        let search = |text: &str| Page { search: Some(text.into()), ..Page::default() };
        assert_eq!(find(search("ÜNAL 100%"), PeerSort::JoinedAt).await, ("cy".into(), 1));
        assert_eq!(find(search("%"), PeerSort::JoinedAt).await.1, 1);
    }

    async fn a_person_is_found_in_all_sessions_of_the_app_and_in_no_other(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        for (app, session, at) in [("a", "first", 0), ("a", "second", HOUR), ("b", "elsewhere", 0)] {
            let mut script = Script::start_in(app, session, session, "Weekly", NOON.plus_ms(at));
            script.join(0, "ann");
            bed.store.append(script.append(&run)).await.unwrap();
        }
        let ann = Person::Participant(id("ann"));
        let found = bed.store.peers_of(&id("a"), &ann, &Page::default()).await.unwrap();
        let sessions: Vec<_> = found.items.iter().map(|(row, peer)| (row.summary.session.as_str(), peer.peer.as_str())).collect();
        assert_eq!((sessions, found.total), (vec![("second", "ann"), ("first", "ann")], 2));
        let (row, peer) = bed.store.peer_anywhere(&id("a"), &id("ann")).await.unwrap().expect("she was somewhere");
        assert_eq!((row.summary.session, peer.session), (id("second"), id("second")), "the last");
        let nobody = Person::Custom("ann".into());
        assert_eq!(bed.store.peers_of(&id("a"), &nobody, &Page::default()).await.unwrap().total, 0);
        assert_eq!(bed.store.peer_anywhere(&id("c"), &id("ann")).await.unwrap(), None);
    }

    async fn totals_of_lists_are_what_counting_gives(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let midnight = Timestamp(day_of(NOON) * DAY_MS);
        let times = [-1, 0, 1, DAY_MS - 1, DAY_MS, 2 * DAY_MS, 2 * DAY_MS + HOUR, 5 * DAY_MS];
        for (place, at) in times.iter().enumerate() {
            for (kind, ends) in [("over", true), ("live", false)] {
                let session = format!("{kind}{place}");
                let mut script = Script::start_at(&session, &session, "Weekly", midnight.plus_ms(*at));
                script.join(0, "ann");
                if ends {
                    script.leave(60_000, "ann").end(61_000);
                }
                bed.store.append(script.append(&run)).await.unwrap();
            }
        }
        let moments = [-1, 0, 1, HOUR, DAY_MS - 1, DAY_MS, DAY_MS + 1, 2 * DAY_MS + HOUR, 4 * DAY_MS, 6 * DAY_MS];
        let moments: Vec<_> = moments.iter().map(|at| Some(midnight.plus_ms(*at))).chain([None]).collect();
        for live in [None, Some(true), Some(false)] {
            for (from, to) in moments.iter().flat_map(|from| moments.iter().map(move |to| (*from, *to))) {
                let page = Page { limit: 1_000, ..Page::default() };
                let filter = SessionFilter { page, live, from, to, ..Default::default() };
                let found = bed.store.sessions(&id("a"), &filter).await.unwrap();
                assert_eq!(found.total, found.items.len() as u64, "{live:?} from {from:?} to {to:?}");
            }
        }
        let days = bed.store.session_days(&id("a"), day_of(midnight), day_of(midnight) + 1).await.unwrap();
        let (yesterday, minute) = (day_of(midnight), 60_000);
        let expected = [(yesterday, 3, 3 * minute), (yesterday + 1, 1, minute)];
        assert_eq!(days.iter().map(|day| (day.day, day.sessions, day.settled_ms)).collect::<Vec<_>>(), expected);
        let first = quarter_of(midnight);
        let quarters = bed.store.session_quarters(&id("a"), first, first + 3 * 96).await.unwrap();
        assert!(quarters.is_sorted_by_key(|sum| sum.quarter));
        let of = |day: i64| {
            let sums = quarters.iter().filter(move |sum| sum.quarter.div_euclid(96) == day);
            sums.fold((0, 0), |(sessions, ms), sum| (sessions + sum.sessions, ms + sum.settled_ms))
        };
        assert_eq!((of(yesterday), of(yesterday + 1)), ((3, 3 * minute), (1, minute)), "they add up to days");
        let one = bed.store.session_quarters(&id("a"), first, first + 1).await.unwrap();
        assert_eq!(one, quarters[..1], "the last is not told of");
        assert_eq!(total(&bed.store, &SessionFilter { participants_min: Some(1), ..Default::default() }).await, 16);
    }
}

/// Prints how long pages take with 400,000 sessions on SQLite, and what counting them takes:
/// `cargo test -p salon-store --test store -- --ignored --nocapture pages`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: prints figures"]
async fn pages_of_a_long_list() {
    let bed = Bed::sqlite().await;
    bed.raw(
        "insert into sessions (id, app_id, meeting_id, title, keep_alive_ms, started_ms, created_ms, updated_ms, ended_ms, \
         live, max_concurrent, participants, settled_ms, live_since_ms, owner_node, owner_run, epoch, last_seq, search_text, \
         peers_seq) \
         with recursive n(i) as (select 0 union all select i + 1 from n where i < 399999) \
         select 's' || i, 'a', 'm' || i, 'Weekly', 60000, 1750000000000 + i * 6000, 1750000000000 + i * 6000, \
         1750000000000 + i * 6000, case when i % 100 = 0 then null else 1750000000000 + i * 6000 + 60000 end, 0, 4, 4, 240000, 0, \
         'n', 'r', 1, 9, 'weekly' || char(10) || 'm' || i || char(10) || 's' || i, 9 from n",
    )
    .await;
    bed.raw(
        "insert into session_days select app_id, created_ms / 86400000, count(*), sum(settled_ms), count(*) from sessions \
         where ended_ms is not null group by 1, 2",
    )
    .await;
    bed.raw("analyze").await;
    let all = SessionFilter { page: Page { limit: 25, ..Page::default() }, ..Default::default() };
    let deep = Page { limit: 25, offset: 100_000, ..Page::default() };
    let filters = [
        ("newest", all.clone()),
        ("live", SessionFilter { live: Some(true), ..all.clone() }),
        (
            "a week",
            SessionFilter { from: Some(Timestamp(1_750_500_000_000)), to: Some(Timestamp(1_751_104_800_000)), ..all.clone() },
        ),
        ("offset 100,000", SessionFilter { page: deep, ..all.clone() }),
        ("counted one by one (as all were before)", SessionFilter { participants_min: Some(0), ..all }),
    ];
    for (what, filter) in filters {
        let mut times = Vec::new();
        let mut total = 0;
        for _ in 0..9 {
            let began = Instant::now();
            total = bed.store.sessions(&id("a"), &filter).await.unwrap().total;
            times.push(began.elapsed());
        }
        times.sort();
        println!("{what}: {:.1} ms, {total} in all", times[4].as_secs_f64() * 1_000.0);
    }
    let session: SessionId = id("s1");
    assert!(bed.store.session_row(&id("a"), &session).await.unwrap().is_some());
}
