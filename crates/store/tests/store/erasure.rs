//! A person is taken out of what is stored, the same on both engines, and what is cut off is finished.

use salon_core::EventBody;
use salon_core::notice::RecordingStatus;
use salon_store::{Erased, Error, Person, Receipt, Recording, Rule};
use serde_json::json;

use crate::bed::*;
use crate::recordings::{file, recording};
use crate::script::Script;

/// Ann, who is `ann@example.org` for whoever made the app, and Bob.
fn meet(session: &str, meeting: &str) -> Script {
    let mut script = Script::start(session, meeting);
    script.join(10, "ann");
    let EventBody::PeerJoined(mut ann) = script.events[1].body.clone() else { unreachable!("it is the join") };
    ann.custom_participant_id = "ann@example.org".to_owned();
    let mut script = Script::start(session, meeting);
    script.then(10, EventBody::PeerJoined(ann)).rename(20, "ann", "Anne").join(25, "bob");
    script
}

on_both_engines! {
    async fn whoever_was_in_a_session_is_in_it_without_a_name(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        store.append(meet("s1", "m1").leave(30, "ann").end(40).append(&run)).await.unwrap();
        let mut live = meet("s2", "m2");
        store.append(live.append(&run)).await.unwrap();
        let before = store.record(&id("s1")).await.unwrap().unwrap();
        let by_own_id = Person::Custom("ann@example.org".to_owned());
        for person in [&by_own_id, &Person::Participant(id("ann"))] {
            assert_eq!(store.erase(&id("a"), person, NOON).await.unwrap(), Erased::Live(id("m2")));
            assert_eq!(store.erase(&id("other"), person, NOON).await.unwrap(), Erased::Nobody, "another app's person");
        }
        assert_eq!(store.erase(&id("a"), &Person::Custom(String::new()), NOON).await.unwrap(), Erased::Nobody, "not everybody without");
        assert_eq!(store.record(&id("s1")).await.unwrap().unwrap(), before, "nothing was done");

        store.append(live.leave(50, "ann").end(60).append(&run)).await.unwrap();
        let done = Erased::Done(Receipt { sessions: 2, ..Receipt::default() });
        assert_eq!(store.erase(&id("a"), &by_own_id, NOON).await.unwrap(), done);
        let after = store.record(&id("s1")).await.unwrap().unwrap();
        assert_eq!(after.summary(), before.summary(), "counts and minutes stay");
        for (peer, was) in &before.peers {
            let is = &after.peers[peer];
            let name = if peer.as_str() == "ann" { "erased" } else { &was.who.name };
            assert_eq!((is.who.name.as_str(), &is.stays), (name, &was.stays));
        }
        let listed = store.session_peer(&id("s1"), "ann").await.unwrap().unwrap();
        assert_eq!((listed.name.as_str(), listed.custom_participant_id.as_str()), ("erased", ""));
        assert_eq!(store.erase(&id("a"), &by_own_id, NOON).await.unwrap(), Erased::Nobody, "once it is done");
        assert_eq!(store.erase(&id("a"), &Person::Participant(id("ann")), NOON).await.unwrap(), done, "by what stays: again, and nothing is left");
    }
}

/// Voices of session `s1`, on their way to where they are kept.
fn voices() -> Recording {
    let tracks =
        ["default_ann_ann_peer_audio_1.webm", "default_ann_ann_screenshare_audio_2.webm", "default_bob_bob_peer_audio_1.webm"];
    Recording {
        session: id("s1"),
        meeting: id("m1"),
        status: RecordingStatus::Uploading,
        config: json!({ "name": "default", "user_ids": ["ann@example.org", "bob"] }),
        files: tracks.into_iter().map(|name| file(name, 1)).collect(),
        is_kept: true,
        ..recording("r", NOON)
    }
}

on_both_engines! {
    async fn the_voice_of_whoever_is_erased_is_told_of_no_more_and_is_to_be_deleted(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        store.append(meet("s1", "m1").leave(30, "ann").end(40).append(&run)).await.unwrap();
        store.create_recording(&voices()).await.unwrap();
        let ann = Person::Custom("ann@example.org".to_owned());
        let refused = store.erase(&id("a"), &ann, NOON).await.unwrap();
        assert_eq!(refused, Erased::Storing(id("m1")), "what is on its way would come after");
        let uploaded = |recording: &mut Recording| recording.status = RecordingStatus::Uploaded;
        store.edit_recording(&id("r"), NOON, uploaded).await.unwrap();
        let done = Receipt { sessions: 1, voices: 2, ..Receipt::default() };
        assert_eq!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Done(done));
        let left = store.recording(&id("r")).await.unwrap().unwrap();
        assert_eq!(left.files, [file("default_bob_bob_peer_audio_1.webm", 1)]);
        assert_eq!(left.config["user_ids"], json!(["erased", "bob"]));
        let files = store.erased_files(None, 10).await.unwrap();
        let names: Vec<_> = files.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["default_ann_ann_peer_audio_1.webm", "default_ann_ann_screenshare_audio_2.webm"]);
        assert_eq!(store.erased_files(Some(&files[0]), 10).await.unwrap(), files[1..]);
        for file in &files {
            store.forget_erased_file(file).await.unwrap();
        }
        assert_eq!(store.erased_files(None, 10).await.unwrap(), []);
        assert_eq!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Nobody);
    }

    async fn what_was_cut_off_is_finished_though_they_were_deleted_and_known_by_another_id(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        // In the session she was ann@example.org; since then she is ann@example.net.
        store.append(meet("s1", "m1").leave(30, "ann").end(40).append(&run)).await.unwrap();
        store.create_meeting(&meeting("m1", "a", None)).await.unwrap();
        let mut row = participant("ann", "m1", "a", "host");
        row.custom_participant_id = "ann@example.net".to_owned();
        store.create_participant(&row).await.unwrap();
        store.create_recording(&voices()).await.unwrap();
        let ann = Person::Custom("ann@example.net".to_owned());
        assert_eq!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Storing(id("m1")), "it is cut off here");
        store.delete_participant(&id("m1"), &id("ann")).await.unwrap();
        store.edit_recording(&id("r"), NOON, |recording| recording.status = RecordingStatus::Uploaded).await.unwrap();
        let done = Receipt { sessions: 1, voices: 2, ..Receipt::default() };
        assert_eq!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Done(done));
        let record = store.record(&id("s1")).await.unwrap().unwrap();
        assert_eq!(record.peers[&id::<salon_core::PeerId>("ann")].who.name, "erased");
        assert_eq!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Nobody, "and who it was is forgotten");
    }

    async fn who_is_erased_comes_back_never_again_also_if_they_were_gone_before(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = bed.run("node", "r1").await;
        store.append(meet("s1", "m1").leave(30, "ann").end(40).append(&run)).await.unwrap();
        store.create_meeting(&meeting("m1", "a", None)).await.unwrap();
        store.create_participant(&participant("ann", "m1", "a", "host")).await.unwrap();
        store.delete_participant(&id("m1"), &id("ann")).await.unwrap();
        // As an earlier release left it.
        bed.raw("delete from deleted_participants").await;
        let ann = Person::Custom("ann@example.org".to_owned());
        assert!(matches!(store.erase(&id("a"), &ann, NOON).await.unwrap(), Erased::Done(_)));
        let again = store.create_participant(&participant("ann", "m1", "a", "host")).await;
        assert!(matches!(again, Err(Error::Conflict(Rule::ParticipantDeleted))), "{again:?}");
        assert!(!store.was_participant_deleted(&id("a"), &id("bob")).await.unwrap());
    }
}
