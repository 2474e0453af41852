//! Who came to a meeting and was not let in: kept together, bounded, forgotten and erased, the same on both engines.

use salon_core::Timestamp;
use salon_store::{AtEntrance, Erased, Happening, MAX_OF_MEETING, Person};

use crate::bed::*;
use crate::script::Script;

const SLOT_MS: i64 = 600_000;

fn comes(person: &str, what: Happening, at: Timestamp) -> AtEntrance {
    AtEntrance {
        app: id("a"),
        meeting: id("m1"),
        participant: id(person),
        peer: id(&format!("{person}-{}", at.0 % 7)),
        what,
        first_at: at,
        last_at: at,
        times: 1,
    }
}

on_both_engines! {
    async fn what_is_alike_within_ten_minutes_is_one(bed: Bed) {
        let store = &bed.store;
        let at = |ms: i64| Timestamp(NOON.0.div_euclid(SLOT_MS) * SLOT_MS).plus_ms(ms);
        let full = |ms| comes("ann", Happening::Full, at(ms));
        store.keep_entrance(&[full(5), full(1), comes("ann", Happening::Waits, at(2)), full(9)]).await.unwrap();
        store.keep_entrance(&[full(20), full(SLOT_MS), comes("bob", Happening::Full, at(3))]).await.unwrap();
        store.keep_entrance(&[]).await.unwrap();
        let found = store.entrance(&id("m1"), 500).await.unwrap();
        let told: Vec<_> = found
            .iter()
            .map(|comer| {
                let one = &comer.happened;
                (one.participant.as_str(), one.what, one.first_at.since(at(0)), one.last_at.since(at(0)), one.times)
            })
            .collect();
        let expected = [
            ("ann", Happening::Full, SLOT_MS, SLOT_MS, 1),
            ("ann", Happening::Full, 1, 20, 4),
            ("bob", Happening::Full, 3, 3, 1),
            ("ann", Happening::Waits, 2, 2, 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(found[1].happened.peer, comes("ann", Happening::Full, at(20)).peer, "of the last time");
        assert_eq!(store.entrance(&id("m1"), 1).await.unwrap(), found[..1]);
        assert_eq!(store.entrance(&id("m2"), 500).await.unwrap(), []);
        assert!(store.clear_entrance(at(20)).await.unwrap());
        assert_eq!(store.entrance(&id("m1"), 500).await.unwrap(), found[..2]);
    }

    async fn of_one_meeting_the_latest_are_kept(bed: Bed) {
        let many: Vec<_> = (0..i64::from(MAX_OF_MEETING) + 20).map(|at| comes(&format!("p{at}"), Happening::Denied, NOON.plus_ms(at))).collect();
        for part in many.chunks(300) {
            bed.store.keep_entrance(part).await.unwrap();
        }
        let found = bed.store.entrance(&id("m1"), u32::MAX).await.unwrap();
        assert_eq!(found.len(), MAX_OF_MEETING as usize);
        assert_eq!(found.last().unwrap().happened.last_at, NOON.plus_ms(20));
    }

    async fn who_is_erased_has_not_come(bed: Bed) {
        bed.app().await;
        let run = bed.run("node", "r1").await;
        let mut script = Script::start("s1", "m1");
        script.join(10, "ann").leave(30, "ann").end(40);
        bed.store.append(script.append(&run)).await.unwrap();
        bed.store.keep_entrance(&[comes("ann", Happening::Waits, NOON), comes("bob", Happening::Waits, NOON)]).await.unwrap();
        let erased = bed.store.erase(&id("a"), &Person::Participant(id("ann")), NOON).await.unwrap();
        assert!(matches!(erased, Erased::Done(_)));
        let left = bed.store.entrance(&id("m1"), 500).await.unwrap();
        assert_eq!(left.iter().map(|comer| comer.happened.participant.as_str()).collect::<Vec<_>>(), ["bob"]);
    }
}
