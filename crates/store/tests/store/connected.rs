//! Connected meetings, and the participants who stand for people moved between them.

use salon_core::event::{Parent, SessionStarted};
use salon_core::{Event, EventBody, Record, Timestamp};
use salon_store::{Append, Brought, Error, Meeting, MeetingFilter, Participant, RunId, SessionAppend, Store};

use crate::bed::{NOON, id, meeting, on_both_engines, participant, preset};

fn room(name: &str) -> Meeting {
    Meeting { parent: Some(id("m")), ..meeting(name, "a", Some(name)) }
}

fn brought(from: &Participant, fresh: &str) -> Brought {
    Brought { from: from.clone(), preset: None, fresh_id: id(fresh) }
}

async fn names(store: &Store) -> Vec<String> {
    store.connected_meetings(&id("m")).await.unwrap().iter().map(|room| room.id.to_string()).collect()
}

/// A session of a meeting, begun at a moment.
async fn session(store: &Store, run: &RunId, name: &str, of: &str, beside: Option<&str>, at: Timestamp) {
    let parent = beside.map(|session| Parent { meeting: id("m"), session: Some(id(session)) });
    let started = SessionStarted {
        session: id(name),
        meeting: id(of),
        app: id("a"),
        title: String::new(),
        keep_alive_ms: 60_000,
        started_at: at,
        parent,
    };
    let event = Event { seq: 1, at, body: EventBody::SessionStarted(started) };
    let summary = Record::begin(&event).unwrap().summary();
    let append = SessionAppend { epoch: 1, events: vec![event], notices: Vec::new(), peers: Vec::new(), summary };
    store.append(Append { run: run.clone(), sessions: vec![append], acts: Vec::new() }).await.unwrap();
}

on_both_engines! {
    async fn rooms_are_made_up_to_a_number_and_deleted(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        assert!(!store.has_connected_meetings(&id("m")).await.unwrap());
        assert!(store.create_connected_meetings(&id("m"), &[room("r1"), room("r2")], 3).await.unwrap());
        assert!(!store.create_connected_meetings(&id("m"), &[room("r3"), room("r4")], 3).await.unwrap(), "too many");
        assert_eq!(names(store).await, ["r1", "r2"]);
        let found = store.create_connected_meetings(&id("r1"), &[room("r3")], 9).await;
        assert!(matches!(found, Err(Error::NotFound)), "a room has no rooms");
        let listed = store.meetings(&a, &MeetingFilter::default()).await.unwrap();
        assert_eq!(listed.total, 1, "rooms are not in the list of meetings");
        assert_eq!(store.meeting(&a, &id("r1")).await.unwrap().unwrap().parent, Some(id("m")));

        let deleted = store.delete_connected_meetings(&id("m"), &[id("r1"), id("m"), id("nowhere")], NOON).await.unwrap();
        assert_eq!(deleted.iter().map(|room| room.id.as_str()).collect::<Vec<_>>(), ["r1"]);
        assert_eq!(names(store).await, ["r2"]);
        assert_eq!(store.meeting(&a, &id("r1")).await.unwrap(), None);
        assert_eq!(store.meeting_of(&id("r1")).await.unwrap().unwrap().deleted_at, Some(NOON));
        assert!(store.has_connected_meetings(&id("m")).await.unwrap());
        let again = store.delete_connected_meetings(&id("m"), &[id("r1")], NOON.plus_ms(5)).await.unwrap();
        assert_eq!(again[0].deleted_at, Some(NOON), "deleting twice is deleting");
    }

    async fn somebody_moved_around_is_one_participant_in_each_meeting(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        store.create_preset(&preset("guest", "a", "guest")).await.unwrap();
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        store.create_connected_meetings(&id("m"), &[room("r1"), room("r2")], 9).await.unwrap();
        let ann = participant("ann", "m", "a", "host");
        store.create_participant(&ann).await.unwrap();

        let there = store.bring(&id("r1"), &[brought(&ann, "ann-1")], NOON).await.unwrap().remove(0);
        assert_eq!((there.id.as_str(), there.origin.clone()), ("ann-1", Some(id("ann"))));
        assert_eq!((&there.name, &there.preset), (&ann.name, &ann.preset));
        let further = Brought { preset: Some(id("guest")), ..brought(&there, "ann-2") };
        let further = store.bring(&id("r2"), &[further], NOON).await.unwrap().remove(0);
        assert_eq!((further.origin.clone(), further.preset.as_str()), (Some(id("ann")), "guest"));
        // Home is who was added there, as it was.
        assert_eq!(store.bring(&id("m"), &[brought(&further, "x")], NOON).await.unwrap().remove(0), ann);
        // The same room again: the same participant, brought up to date.
        let renamed = Participant { name: Some("Anna".into()), ..ann.clone() };
        let again = store.bring(&id("r1"), &[brought(&renamed, "y")], NOON.plus_ms(9)).await.unwrap().remove(0);
        assert_eq!((again.id.as_str(), again.name.as_deref(), again.created_at), ("ann-1", Some("Anna"), NOON));
        assert_eq!(store.admission(&id("ann-1")).await.unwrap().unwrap().participant, again);

        for named in ["ann", "ann-1", "ann-2"] {
            let found = |found: Option<Participant>| found.map(|found| found.id.to_string());
            assert_eq!(found(store.person_in(&id("m"), &id(named)).await.unwrap()), Some("ann".into()), "{named}");
            assert_eq!(found(store.person_in(&id("r2"), &id(named)).await.unwrap()), Some("ann-2".into()), "{named}");
        }
        assert_eq!(store.person_in(&id("m"), &id("nobody")).await.unwrap(), None);
        assert_eq!(store.stand_ins(&id("ann")).await.unwrap().len(), 2);

        let wrong = Brought { preset: Some(id("nowhere")), ..brought(&ann, "z") };
        let refused = store.bring(&id("r1"), &[brought(&ann, "q"), wrong], NOON).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");

        store.delete_connected_meetings(&id("m"), &[id("r2")], NOON).await.unwrap();
        store.delete_preset(&a, &id("guest")).await.unwrap();
    }

    async fn sessions_of_rooms_are_found_by_the_session_they_ran_beside(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        let run = RunId::new("run");
        store.register_node("node", &run, NOON).await.unwrap();
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        store.create_connected_meetings(&id("m"), &[room("r1"), room("r2")], 9).await.unwrap();
        session(store, &run, "s", "m", None, NOON).await;
        session(store, &run, "s1", "r1", Some("s"), NOON.plus_ms(1)).await;
        session(store, &run, "s2", "r2", None, NOON.plus_ms(2)).await;
        let found = async |live| {
            let rows = store.breakouts(&id("m"), &id("s"), live).await.unwrap();
            rows.iter().map(|row| row.summary.session.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(true).await, ["s1", "s2"], "what lives beside a live session belongs to it");
        assert_eq!(found(false).await, ["s1"]);
        let row = store.session_row(&id("a"), &id("s1")).await.unwrap().unwrap();
        assert_eq!(row.summary.parent_session, Some(id("s")));
        assert_eq!(store.record(&id("s1")).await.unwrap().unwrap().summary(), row.summary);
    }
}
