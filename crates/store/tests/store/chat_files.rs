//! Files of the chat: what is known of them on their way, and when they are over.

use salon_store::{ChatFile, Meeting, Uploaded};

use crate::bed::*;

fn file(name: &str, meeting: &str) -> ChatFile {
    ChatFile {
        id: id(name),
        meeting: id(meeting),
        participant: id("u1"),
        name: "Pläne\0 \"1\".pdf".into(),
        created_at: NOON,
        upload_until: NOON.plus_ms(1_000),
        good_until: None,
        uploaded: None,
    }
}

fn uploaded(object: &str, size: u64) -> Uploaded {
    Uploaded { object: object.into(), content_type: "text/plain".into(), size, at: NOON.plus_ms(5) }
}

on_both_engines! {
    async fn the_first_whole_upload_counts(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_meeting(&meeting("m1", "a", None)).await.unwrap();
        let mut plan = file("f1", "m1");
        store.create_chat_file(&plan).await.unwrap();
        // Postgres cannot keep a NUL.
        plan.name = plan.name.replace('\0', "\u{fffd}");
        assert_eq!(store.chat_file(&plan.id).await.unwrap(), Some(plan.clone()));
        assert_eq!(store.chat_file(&id("f2")).await.unwrap(), None);
        assert!(store.finish_chat_file(&plan.id, &uploaded("first", 7)).await.unwrap());
        assert!(!store.finish_chat_file(&plan.id, &uploaded("second", 8)).await.unwrap());
        assert!(!store.finish_chat_file(&id("f2"), &uploaded("third", 9)).await.unwrap());
        plan.uploaded = Some(uploaded("first", 7));
        assert_eq!(store.chat_file(&plan.id).await.unwrap(), Some(plan.clone()));

        store.create_meeting(&meeting("m2", "a", None)).await.unwrap();
        let other = ChatFile { good_until: Some(NOON), ..file("f3", "m1") };
        store.create_chat_file(&other).await.unwrap();
        store.finish_chat_file(&other.id, &uploaded("other", 1 << 40)).await.unwrap();
        assert_eq!(store.chat_file_bytes(&id("m1")).await.unwrap(), (1 << 40) + 7);
        assert_eq!(store.chat_file_bytes(&id("m2")).await.unwrap(), 0);
        store.delete_chat_file(&other.id).await.unwrap();
        assert_eq!(store.chat_file_bytes(&id("m1")).await.unwrap(), 7);
    }

    async fn each_is_over_in_its_own_time(bed: Bed) {
        let store = &bed.store;
        bed.app().await;
        store.create_meeting(&meeting("m1", "a", None)).await.unwrap();
        store.create_meeting(&Meeting { persist_chat: true, ..meeting("m2", "a", None) }).await.unwrap();
        for (name, meeting) in [("lasts", "m1"), ("kept", "m2")] {
            store.create_chat_file(&file(name, meeting)).await.unwrap();
            store.finish_chat_file(&id(name), &uploaded(name, 1)).await.unwrap();
        }
        let brief = ChatFile { good_until: Some(NOON.plus_ms(60)), created_at: NOON.plus_ms(1), ..file("brief", "m2") };
        store.create_chat_file(&brief).await.unwrap();
        store.finish_chat_file(&brief.id, &uploaded("brief", 1)).await.unwrap();
        store.create_chat_file(&ChatFile { created_at: NOON.plus_ms(2), ..file("never", "m2") }).await.unwrap();
        let over = async |now_ms: i64, given_up_ms: i64, kept_since_ms: Option<i64>, limit: u32| {
            let kept_since = kept_since_ms.map(|ms| NOON.plus_ms(ms));
            let over = store.chat_files_over(NOON.plus_ms(now_ms), NOON.plus_ms(given_up_ms), kept_since, None, limit).await.unwrap();
            over.into_iter().map(|file| file.id.to_string()).collect::<Vec<_>>()
        };
        assert!(over(59, 1_000, Some(0), 9).await.is_empty());
        assert_eq!(over(60, 1_000, None, 9).await, ["brief"]);
        assert_eq!(over(0, 1_001, None, 9).await, ["never"]);
        assert_eq!(over(0, 0, Some(1), 9).await, ["lasts"]);
        assert_eq!(over(99, 9_999, Some(99_999), 2).await, ["lasts", "brief"]);
        // Page by page, also past those that stay.
        let mut seen = Vec::new();
        loop {
            let now = NOON.plus_ms(99);
            let page = store.chat_files_over(now, NOON.plus_ms(9_999), Some(NOON.plus_ms(99_999)), seen.last(), 1).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen.iter().map(|file| file.id.as_str()).collect::<Vec<_>>(), ["lasts", "brief", "never"]);
    }
}
