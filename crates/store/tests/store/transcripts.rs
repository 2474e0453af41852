//! What was said: kept in order, told of once it is whole, and gone with its time, its session or whoever said it.

use salon_core::Timestamp;
use salon_core::notice::News;
use salon_store::{DeliveryFilter, Erased, Listening, ListeningState, OldSession, Person, SummaryState, Webhook, WrittenPiece};
use serde_json::{Value, json};

use crate::bed::{NOON, id, on_both_engines};
use crate::script::Script;

const DAY: i64 = 86_400_000;

fn listening(name: &str, node: &str) -> Listening {
    Listening {
        id: id(name),
        app: id("a"),
        meeting: id("m"),
        session: id("s"),
        node: node.to_owned(),
        state: ListeningState::Listening,
        began_at: NOON,
    }
}

/// Something that `peer` said so many milliseconds after noon.
fn piece(peer: &str, after: i64, text: &str) -> WrittenPiece {
    let at = NOON.plus_ms(after);
    WrittenPiece {
        session: id("s"),
        peer: id(peer),
        at,
        lines: vec![(at, at.plus_ms(500), text.to_owned())],
        is_enabled: false,
        is_told: false,
    }
}

fn hook() -> Webhook {
    Webhook {
        id: id("hook"),
        app: id("a"),
        name: "hook".to_owned(),
        url: "https://example.org".to_owned(),
        events: vec!["meeting.transcript".to_owned(), "meeting.summary".to_owned(), "meeting.chatSynced".to_owned()],
        enabled: true,
        secret: None,
        created_at: NOON,
        updated_at: NOON,
    }
}

on_both_engines! {
    async fn a_transcript_is_there_when_all_have_written_and_somebody_was_heard(bed: Bed) {
        let store = &bed.store;
        // The last one lives, where nodes do not share a database.
        bed.run("n2", "r2").await;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        assert!(store.create_webhook(&hook(), 8).await.unwrap());
        let mut talk = Script::start("s", "m");
        talk.join(1, "ann").join(2, "bo");
        store.append(talk.append(&run)).await.unwrap();
        let (one, other) = (listening("l1", "n1"), listening("l2", "n2"));
        assert!(store.begin_listening(&one).await.unwrap() && store.begin_listening(&other).await.unwrap());
        assert!(!store.begin_listening(&listening("l3", "n1")).await.unwrap(), "once for each node");
        assert_eq!(store.unfinished_listenings("n1").await.unwrap(), [one.clone()]);

        let said = store.keep_piece(&piece("ann", 5_000, "first")).await.unwrap();
        assert_eq!((said.len(), said[0].peer.as_str(), said[0].text.as_str()), (1, "ann", "first"));
        store.keep_piece(&WrittenPiece { is_enabled: true, is_told: true, ..piece("bo", 4_000, "before") }).await.unwrap();
        store.keep_piece(&piece("ann", 5_000, "first, heard again")).await.unwrap();
        assert_eq!(store.keep_piece(&piece("nobody", 1, "x")).await.unwrap(), []);
        let texts = async |told: bool| {
            let lines = store.transcript_lines(&id("s"), told).await.unwrap();
            lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(false).await, ["before", "first, heard again"]);
        assert_eq!(texts(true).await, ["before"]);

        talk.end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        store.end_listening(&one.id).await.unwrap();
        assert_eq!(store.listening(&one.id).await.unwrap().unwrap().state, ListeningState::Writing);
        let later = NOON.plus_ms(70_000);
        // At a moment at which both are known to live.
        assert!(!store.finish_listening(&other, (true, None), DAY, NOON).await.unwrap(), "the other node writes still");
        assert_eq!(store.transcript(&id("s"), later).await.unwrap(), None);
        assert!(store.finish_listening(&one, (true, Some("one is lost".to_owned())), DAY, later).await.unwrap());
        let found = store.transcript(&id("s"), later).await.unwrap().unwrap();
        assert_eq!((found.expires_at, found.summary), (later.plus_ms(DAY), None));

        assert!(store.ask_summary(&id("s"), &json!({"word_limit": 150}), "n1").await.unwrap());
        assert!(!store.ask_summary(&id("s"), &Value::Null, "n2").await.unwrap(), "it is being made");
        assert_eq!(store.asked_summaries("n1").await.unwrap(), [id("s")]);
        store.end_summary(&id("s"), 1, Err("no model"), later).await.unwrap();
        let summary = store.transcript(&id("s"), later).await.unwrap().unwrap().summary.unwrap();
        assert_eq!((summary.state, summary.error.as_deref(), summary.text.as_str()), (SummaryState::Failed, Some("no model"), ""));
        assert!(store.ask_summary(&id("s"), &json!({"word_limit": 150}), "n1").await.unwrap());
        store.end_summary(&id("s"), 1, Ok("of before"), later).await.unwrap();
        store.end_summary(&id("s"), 2, Ok("They spoke."), later).await.unwrap();
        let summary = store.transcript(&id("s"), later).await.unwrap().unwrap().summary.unwrap();
        assert_eq!((summary.state, summary.text.as_str()), (SummaryState::Done, "They spoke."));

        let mut told = store.deliveries(&id("hook"), &DeliveryFilter::default()).await.unwrap().items;
        told.sort_by_key(|delivery| delivery.position);
        let told: Vec<&str> = told.iter().map(|delivery| match delivery.notice.news {
            News::Transcript(written) if written.ended_at == NOON.plus_ms(60_000) => "transcript",
            News::Summary(_) => "summary",
            _ => "something else",
        }).collect();
        assert_eq!(told, ["transcript", "summary"]);

        store.sweep_transcripts(later.plus_ms(DAY - 1)).await.unwrap();
        assert!(store.transcript(&id("s"), later).await.unwrap().is_some());
        store.sweep_transcripts(later.plus_ms(DAY)).await.unwrap();
        assert_eq!((store.transcript(&id("s"), later).await.unwrap(), texts(false).await.len()), (None, 0));
    }

    async fn who_has_no_leave_is_left_out_where_the_meeting_wants_none_and_silence_is_no_transcript(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        let mut talk = Script::start("s", "m");
        talk.join(1, "ann").end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        let one = listening("l1", "n1");
        store.begin_listening(&one).await.unwrap();
        store.keep_piece(&piece("ann", 5_000, "first")).await.unwrap();
        assert!(!store.finish_listening(&one, (false, None), DAY, NOON).await.unwrap());
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap(), None);
        assert!(!store.ask_summary(&id("s"), &Value::Null, "n1").await.unwrap(), "there is nothing to sum up");
    }

    async fn whoever_is_erased_takes_what_they_said_and_is_not_written_down_again(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        let mut talk = Script::start("s", "m");
        talk.join(1, "ann").join(2, "bo").end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        let one = listening("l1", "n1");
        store.begin_listening(&one).await.unwrap();
        for (peer, after) in [("ann", 5_000), ("bo", 6_000)] {
            store.keep_piece(&piece(peer, after, peer)).await.unwrap();
        }
        store.finish_listening(&one, (true, None), DAY, NOON).await.unwrap();
        store.ask_summary(&id("s"), &Value::Null, "n1").await.unwrap();
        store.end_summary(&id("s"), 1, Ok("ann and bo spoke"), NOON).await.unwrap();
        let who = store.session_peer(&id("s"), "ann").await.unwrap().unwrap().participant;
        let erased = store.erase(&id("a"), &Person::Participant(who), NOON).await.unwrap();
        assert!(matches!(erased, Erased::Done(_)), "{erased:?}");
        let texts: Vec<_> = store.transcript_lines(&id("s"), false).await.unwrap().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["bo"]);
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap().unwrap().summary, None);
        // Their sound may have waited for the engine.
        assert_eq!(store.keep_piece(&piece("ann", 7_000, "late")).await.unwrap(), []);

        let old = OldSession { session: "s".to_owned(), app: None, ended_at: Timestamp(0) };
        store.bury_session(&old).await.unwrap();
        while !store.clear_buried("s").await.unwrap() {}
        assert_eq!(store.transcript_lines(&id("s"), false).await.unwrap(), []);
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap(), None);
    }
}
