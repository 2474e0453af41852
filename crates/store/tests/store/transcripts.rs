//! What was said: kept in order, told of once it is whole, and gone with its time, its session or whoever said it.

use std::collections::HashSet;

use salon_core::notice::News;
use salon_core::{ParticipantId, Timestamp};
use salon_store::{
    DeliveryFilter, Erased, Listening, ListeningState, Meeting, OldSession, Person, RunId, Store, Summary, SummaryState, Terms,
    Webhook, WrittenPiece,
};
use serde_json::{Value, json};

use crate::bed::{Bed, NOON, id, meeting, on_both_engines};
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
    WrittenPiece { session: id("s"), peer: id(peer), at, lines: vec![(at, at.plus_ms(500), text.to_owned())], is_told: false }
}

fn terms(node: &str) -> Terms {
    Terms { node: node.to_owned(), sums_up: true, keep_ms: DAY }
}

/// A meeting whose words are all written down, or those of some.
async fn meets(bed: &Bed, transcribe_on_end: bool, summarize_on_end: bool) {
    let ai_config = Some(json!({ "summarization": { "word_limit": 150 } }));
    let meeting = Meeting { transcribe_on_end, summarize_on_end, ai_config, ..meeting("m", "a", None) };
    bed.store.create_meeting(&meeting).await.unwrap();
}

/// Two nodes, such a meeting, and a session of it at the first of them, in which these people are.
async fn talks(bed: &Bed, (transcribe, summarize): (bool, bool), people: &[&str]) -> (RunId, Script) {
    // The last one lives, where nodes do not share a database.
    bed.run("n2", "r2").await;
    let run = bed.run("n1", "r1").await;
    bed.app().await;
    meets(bed, transcribe, summarize).await;
    let mut talk = Script::start("s", "m");
    for (after_ms, name) in (1..).zip(people) {
        talk.join(after_ms, name);
    }
    bed.store.append(talk.append(&run)).await.unwrap();
    (run, talk)
}

/// What was said, in order.
async fn texts(store: &Store, only_told: bool) -> Vec<String> {
    let lines = store.transcript_lines(&id("s"), only_told).await.unwrap();
    lines.into_iter().map(|line| line.text).collect()
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
        let (run, mut talk) = talks(&bed, (true, false), &["ann", "bo"]).await;
        assert!(store.create_webhook(&hook(), 8).await.unwrap());
        let (one, other) = (listening("l1", "n1"), listening("l2", "n2"));
        assert!(store.begin_listening(&one).await.unwrap() && store.begin_listening(&other).await.unwrap());
        assert!(!store.begin_listening(&listening("l3", "n1")).await.unwrap(), "once for each node");
        assert_eq!(store.unfinished_listenings("n1").await.unwrap(), std::slice::from_ref(&one));

        let (nobody, bo) = (HashSet::new(), HashSet::from([id::<ParticipantId>("bo")]));
        let said = store.keep_piece(&piece("ann", 5_000, "first"), &bo).await.unwrap();
        assert_eq!((said.len(), said[0].peer.as_str(), said[0].text.as_str()), (1, "ann", "first"));
        store.keep_piece(&WrittenPiece { is_told: true, ..piece("bo", 4_000, "before") }, &bo).await.unwrap();
        store.keep_piece(&piece("ann", 5_000, "first, heard again"), &bo).await.unwrap();
        assert_eq!(store.keep_piece(&piece("nobody", 1, "x"), &nobody).await.unwrap(), []);
        assert_eq!(texts(store, false).await, ["before", "first, heard again"]);
        assert_eq!(texts(store, true).await, ["before"]);

        talk.end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        store.end_listening(&one.id).await.unwrap();
        assert_eq!(store.listening(&one.id).await.unwrap().unwrap().state, ListeningState::Writing);
        let later = NOON.plus_ms(70_000);
        bed.let_live("n1").await;
        assert!(!store.finish_listening(&other, None, &terms("n2"), NOON).await.unwrap(), "the other node writes still");
        assert_eq!(store.transcript(&id("s"), later).await.unwrap(), None);
        assert!(store.finish_listening(&one, Some("one is lost".to_owned()), &terms("n1"), later).await.unwrap());
        let found = store.transcript(&id("s"), later).await.unwrap().unwrap();
        assert_eq!((found.expires_at, found.summary), (later.plus_ms(DAY), None));

        assert!(store.ask_summary(&id("s"), &json!({"word_limit": 150}), ("n1", false), NOON).await.unwrap());
        assert!(!store.ask_summary(&id("s"), &Value::Null, ("n2", false), NOON).await.unwrap(), "it is being made");
        assert!(!store.ask_summary(&id("s"), &Value::Null, ("n1", true), later).await.unwrap(), "it is being made");
        assert_eq!(store.asked_summaries("n1").await.unwrap(), [id("s")]);
        store.end_summary(&id("s"), 1, Err("no model"), later).await.unwrap();
        let summary = store.transcript(&id("s"), later).await.unwrap().unwrap().summary.unwrap();
        assert_eq!((summary.state, summary.error.as_deref(), summary.text.as_str()), (SummaryState::Failed, Some("no model"), ""));
        assert!(store.ask_summary(&id("s"), &json!({"word_limit": 150}), ("n1", false), NOON).await.unwrap());
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

        store.sweep_transcripts(&terms("n1"), later.plus_ms(DAY - 1)).await.unwrap();
        assert!(store.transcript(&id("s"), later).await.unwrap().is_some());
        store.sweep_transcripts(&terms("n1"), later.plus_ms(DAY)).await.unwrap();
        assert_eq!((store.transcript(&id("s"), later).await.unwrap(), texts(store, false).await.len()), (None, 0));
    }

    async fn who_has_no_leave_is_left_out_where_the_meeting_wants_none_and_silence_is_no_transcript(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        meets(&bed, false, true).await;
        let mut talk = Script::start("s", "m");
        talk.join(1, "ann").end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        let one = listening("l1", "n1");
        store.begin_listening(&one).await.unwrap();
        store.keep_piece(&piece("ann", 5_000, "first"), &HashSet::new()).await.unwrap();
        assert!(!store.finish_listening(&one, None, &terms("n1"), NOON).await.unwrap());
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap(), None);
        assert!(!store.ask_summary(&id("s"), &Value::Null, ("n1", false), NOON).await.unwrap(), "there is nothing to sum up");
    }

    async fn whoever_is_erased_takes_what_they_said_and_is_not_written_down_again(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        meets(&bed, true, false).await;
        let mut talk = Script::start("s", "m");
        talk.join(1, "ann").join(2, "bo").end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        let one = listening("l1", "n1");
        store.begin_listening(&one).await.unwrap();
        let nobody = HashSet::new();
        for (peer, after) in [("ann", 5_000), ("bo", 6_000)] {
            store.keep_piece(&piece(peer, after, peer), &nobody).await.unwrap();
        }
        store.finish_listening(&one, None, &terms("n1"), NOON).await.unwrap();
        store.ask_summary(&id("s"), &Value::Null, ("n1", false), NOON).await.unwrap();
        store.end_summary(&id("s"), 1, Ok("ann and bo spoke"), NOON).await.unwrap();
        let who = store.session_peer(&id("s"), "ann").await.unwrap().unwrap().participant;
        let erased = store.erase(&id("a"), &Person::Participant(who), NOON).await.unwrap();
        assert!(matches!(erased, Erased::Done(_)), "{erased:?}");
        assert_eq!(texts(store, false).await, ["bo"]);
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap().unwrap().summary, None);
        // Their sound may have waited for the engine.
        assert_eq!(store.keep_piece(&piece("ann", 7_000, "late"), &nobody).await.unwrap(), []);

        let old = OldSession { session: "s".to_owned(), app: None, ended_at: Timestamp(0) };
        store.bury_session(&old).await.unwrap();
        while !store.clear_buried("s").await.unwrap() {}
        assert_eq!(store.transcript_lines(&id("s"), false).await.unwrap(), []);
        assert_eq!(store.transcript(&id("s"), NOON).await.unwrap(), None);
    }

    async fn a_summary_that_a_meeting_wants_is_asked_for_with_the_transcript_and_another_node_takes_it_over(bed: Bed) {
        let store = &bed.store;
        let (run, mut talk) = talks(&bed, (true, true), &["ann"]).await;
        talk.end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        let one = listening("l1", "n1");
        store.begin_listening(&one).await.unwrap();
        store.keep_piece(&piece("ann", 5_000, "first"), &HashSet::new()).await.unwrap();
        assert!(store.finish_listening(&one, None, &terms("n1"), NOON).await.unwrap());
        // Also if the node is killed at this moment.
        assert_eq!(store.asked_summaries("n1").await.unwrap(), [id("s")]);
        let summary = async || store.transcript(&id("s"), NOON).await.unwrap().unwrap().summary.unwrap();
        let Summary { state, version, config, .. } = summary().await;
        assert_eq!((state, version, config), (SummaryState::Asked, 1, json!({"word_limit": 150})));

        bed.let_live("n1").await;
        store.inherit_summaries("n2", NOON).await.unwrap();
        assert_eq!(store.asked_summaries("n1").await.unwrap(), [id("s")], "it is alive");
        let ask = async |node: &str, makes_it: bool| store.ask_summary(&id("s"), &Value::Null, (node, makes_it), NOON).await.unwrap();
        assert!(!ask("n1", true).await && !ask("n2", false).await, "it is being made");
        assert!(ask("n1", false).await, "it is asked for, and nobody makes it");
        bed.let_die("n1").await;
        assert!(ask("n2", false).await, "its node has gone");
        assert_eq!((summary().await.version, store.asked_summaries("n2").await.unwrap()), (3, vec![id("s")]));
        store.end_summary(&id("s"), 1, Ok("too late"), NOON).await.unwrap();
        bed.let_die("n2").await;
        store.inherit_summaries("n3", NOON).await.unwrap();
        assert_eq!(store.asked_summaries("n3").await.unwrap(), [id("s")]);
        store.end_summary(&id("s"), 3, Ok("She spoke."), NOON).await.unwrap();
        assert_eq!(summary().await.text, "She spoke.");

        let mut silent = terms("n1");
        silent.sums_up = false;
        assert!(store.finish_listening(&one, None, &silent, NOON).await.unwrap());
        assert_eq!(summary().await.state, SummaryState::Done, "it sums nothing up");
    }

    async fn what_a_node_left_that_went_away_for_good_is_published_by_another_or_goes_in_time(bed: Bed) {
        let store = &bed.store;
        let (run, mut talk) = talks(&bed, (false, true), &["ann", "bo"]).await;
        assert!(store.create_webhook(&hook(), 8).await.unwrap());
        let (one, other) = (listening("l1", "n1"), listening("l2", "n2"));
        store.begin_listening(&one).await.unwrap();
        let ann = HashSet::from([id::<ParticipantId>("ann")]);
        for (peer, after) in [("ann", 5_000), ("bo", 6_000)] {
            store.keep_piece(&piece(peer, after, peer), &ann).await.unwrap();
        }
        let later = NOON.plus_ms(70_000);
        let there = async |node: &str, now: Timestamp| {
            store.sweep_transcripts(&terms(node), now).await.unwrap();
            store.transcript(&id("s"), NOON).await.unwrap()
        };
        bed.let_die("n1").await;
        assert_eq!(there("n3", later).await, None, "the session goes on");
        bed.let_live("n1").await;
        talk.end(60_000);
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(there("n3", later).await, None, "it is written still");
        bed.let_die("n1").await;
        assert_eq!(there("n1", later).await, None, "it is the node's own");
        store.begin_listening(&other).await.unwrap();
        bed.let_live("n2").await;
        assert_eq!(there("n3", later).await, None, "another is at it");
        bed.let_die("n2").await;

        let found = there("n3", later).await.unwrap();
        assert_eq!((found.expires_at, found.summary.unwrap().state), (later.plus_ms(DAY), SummaryState::Asked));
        assert_eq!(texts(store, false).await, ["ann"]);
        there("n3", later.plus_ms(1)).await.unwrap();
        let told = store.deliveries(&id("hook"), &DeliveryFilter::default()).await.unwrap().items;
        assert_eq!(told.len(), 1, "once");

        // As if nobody had looked for a day.
        bed.raw("delete from transcripts").await;
        assert_eq!((there("n3", NOON.plus_ms(60_000 + DAY)).await, texts(store, false).await.len()), (None, 0));
        assert_eq!(store.unfinished_listenings("n1").await.unwrap(), [one], "it has sound of it still");
    }

    async fn of_nodes_that_finish_at_once_the_last_one_publishes(bed: Bed) {
        let store = &bed.store;
        let other_store = bed.other().await;
        bed.run("n2", "r2").await;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        meets(&bed, true, false).await;
        bed.let_live("n1").await;
        bed.let_live("n2").await;
        for n in 0..20 {
            let session = format!("s{n}");
            let mut talk = Script::start(&session, "m");
            talk.join(1, "ann").end(60_000);
            store.append(talk.append(&run)).await.unwrap();
            let of = |name: &str, node: &str| {
                Listening { id: id(&format!("{name}{n}")), session: id(&session), ..listening("l", node) }
            };
            let (one, other) = (of("one", "n1"), of("other", "n2"));
            assert!(store.begin_listening(&one).await.unwrap() && store.begin_listening(&other).await.unwrap());
            let said = WrittenPiece { session: id(&session), ..piece("ann", 5_000, "first") };
            store.keep_piece(&said, &HashSet::new()).await.unwrap();
            let (here, there) = (terms("n1"), terms("n2"));
            let both = tokio::join!(
                store.finish_listening(&one, None, &here, NOON),
                other_store.finish_listening(&other, None, &there, NOON)
            );
            assert!(both.0.unwrap() | both.1.unwrap());
            assert!(store.transcript(&id(&session), NOON).await.unwrap().is_some());
        }
    }
}
