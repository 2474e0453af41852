//! The one question of a joining socket.

use crate::bed::*;

on_both_engines! {
    async fn a_joining_socket_learns_everything_at_once(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let mut plans = meeting("m", "a", Some("Plans"));
        plans.created_at = NOON.plus_ms(10);
        store.create_meeting(&plans).await.unwrap();
        let mut ann = participant("u", "m", "a", "host");
        (ann.created_at, ann.updated_at) = (NOON.plus_ms(20), NOON.plus_ms(30));
        store.create_participant(&ann).await.unwrap();
        let admission = store.admission(&ann.id).await.unwrap().unwrap();
        assert_eq!(admission.participant, ann);
        assert_eq!(admission.meeting, plans);
        assert_eq!(admission.preset, preset("host", "a", "host"));

        store.delete_participant(&ann.meeting, &ann.id).await.unwrap();
        assert_eq!(store.admission(&ann.id).await.unwrap(), None);
    }
}
