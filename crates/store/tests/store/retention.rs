//! What is old goes in steps that may be cut off anywhere, and what cannot go keeps nothing else.

use salon_core::{SessionId, Timestamp};
use salon_store::{OldSession, Page, QualityBlock, SessionFilter};

use crate::bed::*;
use crate::script::Script;

async fn ended(bed: &Bed, run: &salon_store::RunId, session: &str, meeting: &str, at: Timestamp) {
    let mut script = Script::start_at(session, meeting, "Planning", at);
    script.join(10, "ann").rename(20, "ann", "Anne").leave(30, "ann").end(40);
    bed.store.append(script.append(run)).await.unwrap();
}

async fn listed(bed: &Bed) -> Vec<String> {
    let filter = SessionFilter { page: Page { newest_first: false, ..Page::default() }, ..SessionFilter::default() };
    let listing = bed.store.sessions(&id("a"), &filter).await.unwrap();
    assert_eq!(listing.total as usize, listing.items.len(), "the number is of those that are there");
    listing.items.into_iter().map(|row| row.summary.session.to_string()).collect()
}

fn names(old: &[OldSession]) -> Vec<&str> {
    old.iter().map(|old| old.session.as_str()).collect()
}

async fn events(bed: &Bed, session: &str) -> usize {
    bed.store.events(&id::<SessionId>(session), 0, 100).await.unwrap().len()
}

on_both_engines! {
    async fn a_session_goes_whole_wherever_that_is_cut_off(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        for (n, session) in ["s1", "s2", "s3"].into_iter().enumerate() {
            ended(&bed, &run, session, &format!("m{n}"), NOON.plus_ms(n as i64 * 1_000)).await;
        }
        store.append(Script::start("live", "m9").join(10, "bob").append(&run)).await.unwrap();
        let before = NOON.plus_ms(1_500);
        let old = store.old_sessions(before, None, 10).await.unwrap();
        assert_eq!(names(&old), ["s1", "s2"]);
        assert_eq!(names(&store.old_sessions(before, None, 1).await.unwrap()), ["s1"]);
        assert_eq!(names(&store.old_sessions(before, Some(&old[0]), 10).await.unwrap()), ["s2"]);
        assert_eq!(names(&store.old_sessions(NOON.plus_ms(1 << 40), None, 10).await.unwrap()), ["s1", "s2", "s3"], "none that is live");

        assert!(store.bury_session(&old[0]).await.unwrap());
        assert!(!store.bury_session(&old[0]).await.unwrap(), "by another node as well");
        let listed = listed(&bed).await;
        assert_eq!(listed.len(), 3);
        assert!(!listed.contains(&"s1".to_owned()), "{listed:?}");
        // Here the node dies; the next run finds what is left.
        let again = bed.other().await;
        assert_eq!(again.buried_sessions().await.unwrap(), ["s1"]);
        assert_eq!(events(&bed, "s1").await, 5);
        assert!(again.clear_buried("s1").await.unwrap());
        assert!(again.clear_buried("s1").await.unwrap(), "and once more is nothing");
        assert_eq!(again.buried_sessions().await.unwrap(), Vec::<String>::new());
        assert_eq!((events(&bed, "s1").await, events(&bed, "s2").await), (0, 5));
    }

    async fn a_long_record_goes_in_parts(bed: Bed) {
        bed.app().await;
        let run = bed.run("node", "r1").await;
        let mut script = Script::start("s1", "m1");
        script.join(10, "ann");
        for n in 0..1_100 {
            script.rename(20 + n, "ann", "Anne");
        }
        script.end(5_000);
        bed.store.append(script.append(&run)).await.unwrap();
        let old = bed.store.old_sessions(NOON.plus_ms(9_000), None, 10).await.unwrap();
        bed.store.bury_session(&old[0]).await.unwrap();
        assert!(!bed.store.clear_buried("s1").await.unwrap());
        assert_eq!(bed.store.buried_sessions().await.unwrap(), ["s1"], "known as long as anything is left");
        assert!(bed.store.clear_buried("s1").await.unwrap());
        assert_eq!(bed.store.buried_sessions().await.unwrap(), Vec::<String>::new());
    }

    async fn the_last_session_of_a_meeting_that_keeps_its_chat_stays(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_meeting(&salon_store::Meeting { persist_chat: true, ..meeting("m1", "a", None) }).await.unwrap();
        store.create_meeting(&meeting("m2", "a", None)).await.unwrap();
        let run = bed.run("node", "r1").await;
        for (n, (session, meeting)) in [("s1", "m1"), ("s2", "m1"), ("s3", "m2")].into_iter().enumerate() {
            ended(&bed, &run, session, meeting, NOON.plus_ms(n as i64 * 1_000)).await;
        }
        assert_eq!(names(&store.old_sessions(NOON.plus_ms(1 << 40), None, 10).await.unwrap()), ["s1", "s3"]);
    }

    async fn one_that_cannot_go_is_an_error_of_its_own(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        for (n, session) in ["s1", "s2"].into_iter().enumerate() {
            ended(&bed, &run, session, &format!("m{n}"), NOON.plus_ms(n as i64 * 1_000)).await;
        }
        bed.raw("create table pins (id text not null references sessions (id)); insert into pins values ('s1')").await;
        bed.raw("update sessions set app_id = 'a b' where id = 's1'").await;
        let old = store.old_sessions(NOON.plus_ms(9_000), None, 10).await.unwrap();
        assert_eq!((names(&old), &old[0].app), (vec!["s1", "s2"], &None), "one that cannot be read is listed");
        store.bury_session(&old[0]).await.unwrap_err();
        assert_eq!(store.buried_sessions().await.unwrap(), Vec::<String>::new(), "and nothing of it went");
        assert!(store.bury_session(&old[1]).await.unwrap());
    }

    async fn what_was_measured_goes_by_its_age(bed: Bed) {
        let block = |peer: &str| QualityBlock { session: id("s"), peer: id(peer), number: 1, body: vec![7] };
        bed.store.keep_quality(&[&block("old")], NOON).await.unwrap();
        bed.store.keep_quality(&[&block("new")], NOON.plus_ms(9)).await.unwrap();
        assert!(bed.store.clear_quality(NOON.plus_ms(5)).await.unwrap());
        let left = async |peer: &str| bed.store.quality_blocks(&id("s"), &id(peer), (0, 9)).await.unwrap().len();
        assert_eq!((left("old").await, left("new").await), (0, 1));
    }
}
