//! What is kept of people's calls.

use salon_store::QualityBlock;

use crate::bed::*;

fn block(peer: &str, number: u64, body: &[u8]) -> QualityBlock {
    QualityBlock { session: id("over"), peer: id(peer), number, body: body.to_vec() }
}

on_both_engines! {
    async fn blocks_of_a_call_are_read_in_order_and_the_last_word_on_each_counts(bed: Bed) {
        let (first, second, again) = (block("ann", 0, b"one"), block("ann", 1, b"\0\xff"), block("ann", 1, b"two"));
        let other = block("bob", 7, b"");
        bed.store.keep_quality(&[&second, &first, &other], NOON).await.unwrap();
        bed.store.keep_quality(&[&again], NOON.plus_ms(1)).await.unwrap();
        bed.store.keep_quality(&[], NOON).await.unwrap();
        let read = async |peer: &str, from, to| bed.store.quality_blocks(&id("over"), &id(peer), (from, to)).await.unwrap();
        assert_eq!(read("ann", 0, u64::MAX).await, [(0, b"one".to_vec()), (1, b"two".to_vec())]);
        assert_eq!(read("ann", 1, 5).await, [(1, b"two".to_vec())]);
        assert_eq!(read("bob", 0, u64::MAX).await, [(7, vec![])]);
        assert_eq!(read("eve", 0, u64::MAX).await, []);
        assert_eq!(bed.store.peer_quality(&id("over"), &id("ann")).await.unwrap(), None, "nothing of an earlier version");
    }
}
