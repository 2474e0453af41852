//! Lists: pages, filters, order and search.

use salon_core::Timestamp;
use salon_store::{MAX_PAGE, MeetingFilter, Page};

use crate::bed::*;
use crate::edits::put_meeting;

fn search(text: &str) -> Page {
    Page { search: Some(text.into()), newest_first: false, ..Page::default() }
}

on_both_engines! {
    async fn pages_cover_a_list_once(bed: Bed) {
        let a = bed.app().await;
        for n in 0..7 {
            let mut meeting = meeting(&format!("m{n}"), "a", None);
            // Pairs share a moment, so that the id has to decide.
            meeting.created_at = NOON.plus_ms(n / 2);
            bed.store.create_meeting(&meeting).await.unwrap();
        }
        for newest_first in [false, true] {
            let mut seen = Vec::new();
            for offset in [0, 3, 6, 9] {
                let page = Page { offset, limit: 3, newest_first, search: None };
                let list = bed.store.meetings(&a, &MeetingFilter { page, ..Default::default() }).await.unwrap();
                assert_eq!(list.total, 7);
                seen.extend(list.items.into_iter().map(|meeting| meeting.id.to_string()));
            }
            let mut all: Vec<_> = (0..7).map(|n| format!("m{n}")).collect();
            if newest_first {
                all.reverse();
            }
            assert_eq!(seen, all);
        }
        for (offset, limit, items) in [(0, 0, 0), (u64::MAX, 5, 0), (0, u32::MAX, 7)] {
            let page = Page { offset, limit, ..Page::default() };
            let list = bed.store.meetings(&a, &MeetingFilter { page, ..Default::default() }).await.unwrap();
            assert_eq!((list.items.len(), list.total), (items, 7));
        }
    }

    async fn no_page_is_longer_than_the_longest(bed: Bed) {
        let a = bed.app().await;
        bed.raw(
            "with recursive counted(n) as (select 1 union all select n + 1 from counted where n < 1200) \
             insert into presets (id, app_id, name, body, search_text, created_ms, updated_ms) \
             select 'p' || n, 'a', 'p' || n, '{}', 'p' || n, n, n from counted",
        )
        .await;
        let page = Page { limit: u32::MAX, search: Some("P".into()), ..Page::default() };
        let list = bed.store.presets(&a, &page).await.unwrap();
        assert_eq!((list.items.len(), list.total), (MAX_PAGE as usize, 1200));
    }

    async fn meetings_are_filtered(bed: Bed) {
        let a = bed.app().await;
        bed.store.create_app(&app("b", "Second"), &[]).await.unwrap();
        bed.store.create_meeting(&meeting("foreign", "b", None)).await.unwrap();
        for n in 0..4 {
            let mut meeting = meeting(&format!("m{n}"), "a", None);
            (meeting.created_at, meeting.active) = (NOON.plus_ms(n), n != 2);
            bed.store.create_meeting(&meeting).await.unwrap();
        }
        let find = async |active, from: Option<i64>, to: Option<i64>| {
            let moment = |ms: i64| -> Timestamp { NOON.plus_ms(ms) };
            let filter = MeetingFilter { page: search(""), active, from: from.map(moment), to: to.map(moment) };
            let list = bed.store.meetings(&a, &filter).await.unwrap();
            assert_eq!(list.items.len() as u64, list.total);
            list.items.iter().map(|meeting| meeting.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(find(None, None, None).await, "m0 m1 m2 m3");
        assert_eq!(find(Some(true), None, None).await, "m0 m1 m3");
        assert_eq!(find(Some(false), None, None).await, "m2");
        assert_eq!(find(None, Some(1), Some(2)).await, "m1 m2");
        assert_eq!(find(Some(true), Some(1), None).await, "m1 m3");
        assert_eq!(find(None, None, Some(-1)).await, "");
    }

    async fn search_takes_every_letter_as_it_is(bed: Bed) {
        let a = bed.app().await;
        for (n, title) in ["100% sure", "100 euros", "a_b", "acb", "It's \"Ann\"", "ÜBUNG\\1", "x"].iter().enumerate() {
            bed.store.create_meeting(&meeting(&format!("Meet-{n}"), "a", Some(title))).await.unwrap();
        }
        bed.store.create_meeting(&meeting("untitled", "a", None)).await.unwrap();
        let find = async |text: &str| {
            let filter = MeetingFilter { page: search(text), ..Default::default() };
            let list = bed.store.meetings(&a, &filter).await.unwrap();
            list.items.iter().map(|meeting| meeting.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(find("100%").await, "Meet-0");
        assert_eq!(find("SURE").await, "Meet-0");
        assert_eq!(find("%").await, "Meet-0");
        assert_eq!(find("A_B").await, "Meet-2");
        assert_eq!(find("it's \"a").await, "Meet-4");
        assert_eq!(find("'; drop table meetings; --").await, "");
        assert_eq!(find("übung\\").await, "Meet-5");
        assert_eq!(find("meet-6").await, "Meet-6");
        assert_eq!(find("UNTITLED").await, "untitled");
        assert_eq!(find("?").await, "");
        assert_eq!(find("$1").await, "");
        assert_eq!(find("\0").await, "");
    }

    async fn a_changed_title_is_found_and_the_old_one_is_not(bed: Bed) {
        let a = bed.app().await;
        let mut plans = meeting("m", "a", Some("Before"));
        bed.store.create_meeting(&plans).await.unwrap();
        plans.title = Some("After".into());
        put_meeting(&bed.store, &plans).await.unwrap();
        for (text, total) in [("before", 0), ("after", 1)] {
            let filter = MeetingFilter { page: search(text), ..Default::default() };
            assert_eq!(bed.store.meetings(&a, &filter).await.unwrap().total, total);
        }
    }

    async fn apps_presets_and_participants_are_searched_too(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        store.create_app(&app("b", "Second"), &[]).await.unwrap();
        let apps = store.apps(&id("account"), None, &search("SEC")).await.unwrap();
        assert_eq!((apps.total, apps.items[0].id.as_str()), (1, "b"));
        assert_eq!(store.apps(&id("account"), None, &search("")).await.unwrap().total, 2);
        assert_eq!(store.apps(&id("nobody"), None, &search("")).await.unwrap().total, 0);

        store.create_preset(&preset("p2", "a", "Webinar_Viewer")).await.unwrap();
        let presets = store.presets(&a, &search("r_v")).await.unwrap();
        assert_eq!((presets.total, presets.items[0].name.as_str()), (1, "Webinar_Viewer"));

        store.create_meeting(&meeting("m", "a", None)).await.unwrap();
        for n in 0..3 {
            let mut person = participant(&format!("u{n}"), "m", "a", "host");
            (person.name, person.created_at) = (Some(format!("Name {n}")), NOON.plus_ms(n));
            store.create_participant(&person).await.unwrap();
        }
        for (text, total) in [("name 1", 1), ("CUSTOM-U", 3), ("u2", 1), ("nobody", 0)] {
            assert_eq!(store.participants(&id("m"), &search(text)).await.unwrap().total, total, "{text}");
        }
        let newest = store.participants(&id("m"), &Page { limit: 1, ..Page::default() }).await.unwrap();
        assert_eq!((newest.items[0].participant.id.as_str(), newest.items[0].preset_name.as_str()), ("u2", "host"));
        assert_eq!(store.participants(&id("other"), &Page::default()).await.unwrap().total, 0);
    }
}
