//! The one question of a joining socket.

use std::collections::BTreeSet;

use salon_core::ParticipantId;

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

        let both: BTreeSet<ParticipantId> = [id("u"), id("v")].into();
        store.create_participant(&participant("v", "m", "a", "host")).await.unwrap();
        assert!(store.deleted_among(both.clone()).await.unwrap().is_empty());
        store.delete_participant(&ann.meeting, &ann.id).await.unwrap();
        assert_eq!(store.admission(&ann.id).await.unwrap(), None);
        assert_eq!(store.deleted_among(both).await.unwrap(), [ann.id].into());
    }
}
