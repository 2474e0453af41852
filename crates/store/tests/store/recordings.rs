//! Recordings: kept as they were written, told of in order, counted by day, and gone when their time is over.

use salon_core::Timestamp;
use salon_core::event::{RecordedBy, RecordingEnd, RecordingKind};
use salon_core::notice::{News, RecordingStatus};
use salon_store::{Error, OldSession, Recording, RecordingFile, RecordingFileKind, RecordingFilter, Webhook};
use serde_json::json;

use crate::bed::{NOON, id, on_both_engines};
use crate::script::Script;

const DAY: i64 = 86_400_000;

pub fn recording(name: &str, invoked_at: Timestamp) -> Recording {
    Recording {
        id: id(name),
        app: id("a"),
        meeting: id("m"),
        session: id("s"),
        kind: RecordingKind::Track,
        status: RecordingStatus::Invoked,
        config: json!({ "name": "default", "user_ids": ["u"] }),
        storage: Some(json!({ "secret_key": "s3cret" })),
        name: "default_{user_id}.webm".to_owned(),
        invoked_at,
        started_at: None,
        stopped_at: None,
        paused_ms: 0,
        paused_since: None,
        started_by: RecordedBy::Participant(id("host")),
        stopped_by: None,
        error: None,
        files: Vec::new(),
        is_kept: false,
        expires_at: None,
        node: "n1".to_owned(),
        version: 0,
    }
}

fn begin(recording: &mut Recording, at: Timestamp) {
    (recording.status, recording.started_at) = (RecordingStatus::Recording, Some(at));
}

pub fn file(name: &str, bytes: u64) -> RecordingFile {
    RecordingFile { name: name.to_owned(), bytes, kind: RecordingFileKind::Track }
}

on_both_engines! {
    async fn each_status_is_told_once_in_order_whatever_the_session_does(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        let hook = Webhook {
            id: id("hook"),
            app: id("a"),
            name: "hook".to_owned(),
            url: "https://example.org".to_owned(),
            events: vec!["recording.statusUpdate".to_owned()],
            enabled: true,
            secret: None,
            created_at: NOON,
            updated_at: NOON,
        };
        assert!(store.create_webhook(&hook, 8).await.unwrap());
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann");
        store.append(talk.append(&run)).await.unwrap();
        let new = recording("r", NOON.plus_ms(10));
        store.create_recording(&new).await.unwrap();
        assert!(store.recording(&id("r")).await.unwrap() == Some(new.clone()));
        let edit = async |at: i64, change: &dyn Fn(&mut Recording)| {
            store.edit_recording(&id("r"), NOON.plus_ms(at), change).await.unwrap()
        };
        edit(20, &|recording| begin(recording, NOON.plus_ms(20))).await;
        edit(21, &|recording| begin(recording, NOON.plus_ms(20))).await;
        edit(1_000, &|recording| recording.pause(true, NOON.plus_ms(1_020))).await;
        let paused = store.recording(&id("r")).await.unwrap().unwrap();
        assert_eq!((paused.status, paused.recorded_ms(NOON.plus_ms(9_000))), (RecordingStatus::Paused, 1_000));
        edit(3_000, &|recording| recording.pause(false, NOON.plus_ms(3_020))).await;
        talk.end(3_500);
        store.append(talk.append(&run)).await.unwrap();
        edit(4_000, &|recording| {
            recording.stop(RecordingEnd::SessionOver, NOON.plus_ms(4_020));
            recording.files = vec![file("a.webm", 3), file("b.webm", 4)];
        })
        .await;
        let last = edit(5_000, &|recording| {
            (recording.status, recording.is_kept, recording.storage) = (RecordingStatus::Uploaded, true, None);
            recording.expires_at = Some(NOON.plus_ms(DAY));
        })
        .await;
        assert_eq!((last.recorded_ms(NOON.plus_ms(99_000)), last.bytes()), (2_000, Some(7)));
        assert!(store.recording(&id("r")).await.unwrap() == Some(last.clone()));
        let there = |recorded_ms| {
            let mut last = last.clone();
            last.leave_out(recorded_ms);
            last.recorded_ms(NOON.plus_ms(99_000))
        };
        assert_eq!([None, Some(1_500), Some(9_000)].map(there), [2_000; 3], "nobody knows it to the second");
        let mut long = Recording { stopped_at: last.stopped_at.map(|at| at.plus_ms(60_000)), ..last };
        long.leave_out(Some(5_000));
        assert_eq!(long.recorded_ms(NOON), 5_000, "what died is not in it");
        assert!(matches!(store.edit_recording(&id("x"), NOON, |_| {}).await, Err(Error::NotFound)));

        let wanted = [salon_store::Wanted { webhook: id("hook"), lanes: 9, is_idle: true }];
        let claimed = store.deliver(&run, &[], &wanted, NOON.plus_ms(6_000)).await.unwrap();
        let lanes: Vec<_> = claimed.iter().flat_map(|claimed| &claimed.lanes).collect();
        assert_eq!(lanes.len(), 1, "a recording is told in a lane of its own");
        let told: Vec<_> = lanes[0]
            .deliveries
            .iter()
            .map(|delivery| {
                let News::Recording(report) = &delivery.notice.news else { panic!("{:?}", delivery.notice) };
                assert_eq!((delivery.notice.title.as_str(), &delivery.session), ("Planning", &id("s")));
                (report.status, report.bytes, report.tracks.len())
            })
            .collect();
        use RecordingStatus as Told;
        // That it pauses and goes on is no status of the documentation.
        let expected = [
            (Told::Invoked, None, 0),
            (Told::Recording, None, 0),
            (Told::Uploading, Some(7), 0),
            (Told::Uploaded, Some(7), 2),
        ];
        assert_eq!(told, expected);
    }

    async fn they_are_found_counted_by_day_and_gone_when_their_time_is_over(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann").end(9);
        store.append(talk.append(&run)).await.unwrap();
        for (name, day) in [("one", 0), ("two", 0), ("three", 1), ("never", 1)] {
            let at = NOON.plus_ms(day * DAY);
            store.create_recording(&recording(name, at)).await.unwrap();
            if name != "never" {
                store.edit_recording(&id(name), at, |recording| begin(recording, at)).await.unwrap();
            }
        }
        let now = NOON.plus_ms(DAY + 60_000);
        let done = |recording: &mut Recording| {
            recording.stop(RecordingEnd::Asked(RecordedBy::Api), NOON.plus_ms(30_000));
            (recording.status, recording.is_kept) = (RecordingStatus::Uploaded, true);
            (recording.files, recording.expires_at) = (vec![file("a.webm", 1)], Some(NOON.plus_ms(DAY)));
        };
        for name in ["one", "two"] {
            store.edit_recording(&id(name), NOON, done).await.unwrap();
        }
        let days = store.recording_days(&id("a"), 0, 99_999, now).await.unwrap();
        let days: Vec<_> = days.iter().map(|day| (day.recordings, day.recorded_ms)).collect();
        assert_eq!(days, [(2, 60_000), (1, 60_000)], "one that runs counts up to now, one that never began does not");
        assert!(store.recording_days(&id("b"), 0, 99_999, now).await.unwrap().is_empty());

        let list = async |change: &dyn Fn(&mut RecordingFilter)| {
            let mut filter = RecordingFilter { now, ..RecordingFilter::default() };
            filter.page.newest_first = false;
            change(&mut filter);
            let found = store.recordings(&id("a"), &filter).await.unwrap();
            found.items.into_iter().map(|found| found.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(list(&|_| {}).await, ["one", "two", "never", "three"]);
        assert_eq!(list(&|filter| filter.page.newest_first = true).await, ["three", "never", "two", "one"]);
        assert_eq!(list(&|filter| filter.expired = Some(true)).await, ["one", "two"]);
        assert_eq!(list(&|filter| filter.expired = Some(false)).await, ["never", "three"]);
        assert_eq!(list(&|filter| filter.statuses = vec![RecordingStatus::Recording, RecordingStatus::Invoked]).await, ["never", "three"]);
        assert_eq!(list(&|filter| filter.from = Some(NOON.plus_ms(1))).await, ["never", "three"]);
        assert_eq!(list(&|filter| filter.page.search = Some("TWO".to_owned())).await, ["two"]);
        assert!(list(&|filter| filter.meeting = Some(id("n"))).await.is_empty());
        let active = store.active_recording(&id("m")).await.unwrap().map(|found| found.id.to_string());
        assert_eq!(active.as_deref(), Some("three"));
        let unfinished = async |node: &str| store.unfinished_recordings(node).await.unwrap().len();
        assert_eq!((unfinished("n1").await, unfinished("n2").await), (2, 0));

        let first = store.recordings_over(now, None, 1).await.unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(store.recordings_over(now, first.first(), 9).await.unwrap().len(), 1);
        assert!(first[0].downloads(now).is_empty(), "its time is over, whether or not it was swept");
        store.edit_recording(&first[0].id, now, |recording| recording.is_kept = false).await.unwrap();
        assert_eq!(store.recordings_over(now, None, 9).await.unwrap().len(), 1);
        assert_eq!(store.forget_recordings().await.unwrap(), 0, "it is on lists as long as its session is");
        let old = store.old_sessions(now, None, 9).await.unwrap();
        let [OldSession { .. }] = &old[..] else { panic!("{old:?}") };
        assert!(store.bury_session(&old[0]).await.unwrap());
        while !store.clear_buried("s").await.unwrap() {}
        assert_eq!(list(&|_| {}).await, ["two", "never", "three"], "what has files, or will, stays");
        store.edit_recording(&id("two"), now, |recording| recording.is_kept = false).await.unwrap();
        assert_eq!(store.forget_recordings().await.unwrap(), 1);
        assert_eq!(list(&|_| {}).await, ["never", "three"]);
    }
}
