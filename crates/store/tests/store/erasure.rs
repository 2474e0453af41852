//! A person is taken out of what is stored, the same on both engines, and what is cut off is finished.

use salon_core::EventBody;
use salon_store::{Erased, Person, Receipt};

use crate::bed::*;
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
