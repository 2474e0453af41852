//! What is kept of people's calls.

use serde_json::json;

use crate::bed::*;
use crate::script::Script;

on_both_engines! {
    async fn what_is_kept_of_a_call_outlives_its_session_and_the_last_word_counts(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut over = Script::start_at("over", "m1", "Weekly", NOON);
        over.join(0, "ann");
        bed.store.append(over.append(&run)).await.unwrap();
        assert_eq!(bed.store.peer_quality(&id("over"), &id("ann")).await.unwrap(), None);
        let row = |peer: &str, n: u32| (id("over"), id(peer), json!({ "n": n }));
        bed.store.keep_peer_quality(&[row("ann", 1), row("bob", 7)], NOON).await.unwrap();
        bed.store.keep_peer_quality(&[row("ann", 2)], NOON.plus_ms(1)).await.unwrap();
        bed.store.keep_peer_quality(&[], NOON).await.unwrap();
        assert_eq!(bed.store.peer_quality(&id("over"), &id("ann")).await.unwrap(), Some(json!({ "n": 2 })));
        assert_eq!(bed.store.peer_quality(&id("over"), &id("bob")).await.unwrap(), Some(json!({ "n": 7 })));
    }

    async fn a_peer_of_no_session_is_refused_with_all_that_came_with_it(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        bed.store.append(Script::start_at("live", "m1", "Weekly", NOON).append(&run)).await.unwrap();
        let rows = [(id("live"), id("ann"), json!({})), (id("nowhere"), id("bob"), json!({}))];
        bed.store.keep_peer_quality(&rows, NOON).await.unwrap_err();
        assert_eq!(bed.store.peer_quality(&id("live"), &id("ann")).await.unwrap(), None);
    }
}
