//! Apps, presets, meetings and participants: what is written comes back, and what must not be is refused.

use salon_core::{AppId, Timestamp};
use salon_store::{Error, Page, Rule};
use serde_json::json;

use crate::bed::*;
use crate::edits::{put_meeting, put_participant, put_preset};

/// Asserts that a result is one certain refusal.
macro_rules! refused {
    ($result:expr, $refusal:pat) => {
        let result = $result;
        assert!(matches!(result, Err($refusal)), "expected {}, got {result:?}", stringify!($refusal));
    };
}
pub(crate) use refused;

on_both_engines! {
    async fn an_app_comes_with_its_presets(bed: Bed) {
        let store = &bed.store;
        let first = app("a", "First");
        store.create_app(&first, &[preset("p1", "a", "host"), preset("p2", "a", "guest")]).await.unwrap();
        assert_eq!(store.app(&first.id).await.unwrap(), Some(first.clone()));
        assert_eq!(store.app(&id("b")).await.unwrap(), None);
        assert_eq!(store.presets(&first.id, &Page::default()).await.unwrap().total, 2);

        refused!(store.create_app(&app("b", "First"), &[]).await, Error::Conflict(Rule::AppName));
        refused!(store.create_app(&app("a", "Other"), &[]).await, Error::Conflict(Rule::IdTaken));
        let mut other_account = app("b", "First");
        other_account.account = id("other");
        store.create_app(&other_account, &[]).await.unwrap();
    }

    async fn an_app_whose_presets_are_refused_does_not_exist(bed: Bed) {
        let presets = [preset("p1", "a", "host"), preset("p2", "a", "host")];
        refused!(bed.store.create_app(&app("a", "First"), &presets).await, Error::Conflict(Rule::PresetName));
        assert_eq!(bed.store.app(&id("a")).await.unwrap(), None);
        assert_eq!(bed.store.preset(&id("a"), &id("p1")).await.unwrap(), None);
    }

    async fn of_apps_with_one_name_made_at_once_one_stays(bed: Bed) {
        let mut tasks = Vec::new();
        for n in 0..10 {
            let store = bed.store.clone();
            tasks.push(tokio::spawn(async move { store.create_app(&app(&format!("a{n}"), "Same"), &[]).await }));
        }
        let mut made = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => made += 1,
                refusal => { refused!(refusal, Error::Conflict(Rule::AppName)); }
            }
        }
        assert_eq!(made, 1);
    }

    async fn presets_are_named_once_and_found_by_name(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        let host = preset("host", "a", "host");
        assert_eq!(store.preset(&a, &host.id).await.unwrap(), Some(host.clone()));
        assert_eq!(store.preset_named(&a, "host").await.unwrap(), Some(host.clone()));
        assert_eq!(store.preset_named(&a, "Host").await.unwrap(), None);
        assert_eq!(store.preset(&id("b"), &host.id).await.unwrap(), None);
        refused!(store.create_preset(&preset("p2", "a", "host")).await, Error::Conflict(Rule::PresetName));
        refused!(store.create_preset(&preset("host", "a", "new")).await, Error::Conflict(Rule::IdTaken));
        refused!(store.create_preset(&preset("p2", "nowhere", "x")).await, Error::NotFound);
        store.create_preset(&preset("p2", "a", "guest")).await.unwrap();

        let mut renamed = host.clone();
        (renamed.name, renamed.body, renamed.updated_at) = ("owner".into(), json!([1, null]), NOON.plus_ms(5));
        put_preset(store, &renamed).await.unwrap();
        put_preset(store, &renamed).await.unwrap();
        assert_eq!(store.preset(&a, &host.id).await.unwrap(), Some(renamed.clone()));
        renamed.name = "guest".into();
        refused!(put_preset(store, &renamed).await, Error::Conflict(Rule::PresetName));
        refused!(put_preset(store, &preset("p3", "a", "x")).await, Error::NotFound);
    }

    async fn a_preset_in_use_stays(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        store.create_participant(&participant("u", "m", "a", "host")).await.unwrap();
        refused!(store.delete_preset(&a, &id("host")).await, Error::Conflict(Rule::PresetInUse));
        store.delete_participant(&id("m"), &id("u")).await.unwrap();
        assert_eq!(store.delete_preset(&a, &id("host")).await.unwrap(), preset("host", "a", "host"));
        refused!(store.delete_preset(&a, &id("host")).await, Error::NotFound);
    }

    async fn meetings_come_back_as_they_were(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        let mut plans = meeting("m", "a", Some("Plans"));
        store.create_meeting(&plans).await.unwrap();
        assert_eq!(store.meeting(&a, &plans.id).await.unwrap(), Some(plans.clone()));
        assert_eq!(store.meeting_of(&plans.id).await.unwrap(), Some(plans.clone()));
        assert_eq!(store.meeting(&id("b"), &plans.id).await.unwrap(), None);
        assert_eq!(store.meeting_of(&id("other")).await.unwrap(), None);
        refused!(store.create_meeting(&plans).await, Error::Conflict(Rule::IdTaken));
        refused!(store.create_meeting(&meeting("n", "nowhere", None)).await, Error::NotFound);

        plans.title = None;
        (plans.active, plans.record_on_start, plans.live_stream_on_start) = (false, true, false);
        (plans.persist_chat, plans.transcribe_on_end, plans.summarize_on_end) = (true, false, true);
        (plans.keep_alive_secs, plans.updated_at) = (600, NOON.plus_ms(1));
        (plans.recording_config, plans.ai_config) = (None, Some(json!({ "summarization": { "word_limit": 150 } })));
        put_meeting(store, &plans).await.unwrap();
        assert_eq!(store.meeting(&a, &plans.id).await.unwrap(), Some(plans.clone()));
        plans.app = id("b");
        refused!(put_meeting(store, &plans).await, Error::NotFound);
    }

    async fn participants_need_a_meeting_and_preset_of_their_app(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_app(&app("b", "Second"), &[preset("b-host", "b", "host")]).await.unwrap();
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        let ann = participant("u", "m", "a", "host");
        store.create_participant(&ann).await.unwrap();
        let row = store.participant(&id("m"), &ann.id).await.unwrap().unwrap();
        assert_eq!((row.participant, row.preset_name.as_str()), (ann.clone(), "host"));
        assert_eq!(store.participant(&id("other"), &ann.id).await.unwrap(), None);

        refused!(store.create_participant(&ann).await, Error::Conflict(Rule::IdTaken));
        for stranger in [
            participant("v", "m", "a", "b-host"),
            participant("v", "m", "b", "b-host"),
            participant("v", "nowhere", "a", "host"),
            participant("v", "m", "a", "none"),
        ] {
            refused!(store.create_participant(&stranger).await, Error::NotFound);
        }
    }

    async fn participants_change_and_go(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_preset(&preset("guest", "a", "guest")).await.unwrap();
        store.create_app(&app("b", "Second"), &[preset("b-host", "b", "host")]).await.unwrap();
        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        let mut ann = participant("u", "m", "a", "host");
        store.create_participant(&ann).await.unwrap();
        (ann.name, ann.picture, ann.preset) = (None, Some("https://x/y.png".into()), id("guest"));
        (ann.custom_participant_id, ann.updated_at) = ("c2".into(), NOON.plus_ms(9));
        put_participant(store, &ann).await.unwrap();
        let row = store.participant(&id("m"), &ann.id).await.unwrap().unwrap();
        assert_eq!((&row.participant, row.preset_name.as_str()), (&ann, "guest"));

        let mut wrong = ann.clone();
        wrong.preset = id("b-host");
        refused!(put_participant(store, &wrong).await, Error::NotFound);
        refused!(put_participant(store, &participant("v", "m", "a", "host")).await, Error::NotFound);
        assert_eq!(store.delete_participant(&id("m"), &ann.id).await.unwrap(), row);
        refused!(store.delete_participant(&id("m"), &ann.id).await, Error::NotFound);
    }

    async fn who_was_deleted_comes_back_under_the_same_id_never_again(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        for meeting_id in ["m", "n"] {
            store.create_meeting(&meeting(meeting_id, "a", None)).await.unwrap();
        }
        let ann = participant("u", "m", "a", "host");
        store.create_participant(&ann).await.unwrap();
        assert!(!store.was_participant_deleted(&a, &ann.id).await.unwrap());
        store.delete_participant(&id("m"), &ann.id).await.unwrap();
        assert!(store.was_participant_deleted(&a, &ann.id).await.unwrap());
        assert!(!store.was_participant_deleted(&id("b"), &ann.id).await.unwrap());
        for again in [ann.clone(), participant("u", "n", "a", "host")] {
            refused!(store.create_participant(&again).await, Error::Conflict(Rule::ParticipantDeleted));
        }
        assert_eq!(store.participant(&id("m"), &ann.id).await.unwrap(), None);
        store.create_participant(&participant("v", "m", "a", "host")).await.unwrap();
    }

    /// Postgres cannot hold the character NUL in text; both engines replace it.
    async fn text_without_sense_is_kept_harmless(bed: Bed) {
        let a: AppId = bed.app().await;
        let mut odd = meeting("m", "a", Some("a\0b"));
        odd.created_at = Timestamp(i64::MAX);
        bed.store.create_meeting(&odd).await.unwrap();
        let read = bed.store.meeting(&a, &id("m")).await.unwrap().unwrap();
        assert_eq!(read.title.as_deref(), Some("a\u{fffd}b"));
        assert_eq!(read.created_at, odd.created_at);
        assert_eq!(bed.store.preset_named(&a, "ho\0st").await.unwrap(), None);
    }
}
