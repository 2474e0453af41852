//! Lists: paging, search, filters and order.

use serde_json::{Value, json};

use crate::support::{TestApp, Text};

fn names(listed: &Value, field: &str) -> Vec<String> {
    listed["data"].as_array().expect("a list").iter().map(|item| item[field].text()).collect()
}

#[tokio::test]
async fn pages_of_meetings() {
    let app = TestApp::dev().await;
    for number in 0..30 {
        app.meeting(&format!("meeting {number:02}")).await;
    }
    let paging = |listed: &Value| {
        let paging = &listed["paging"];
        [&paging["total_count"], &paging["start_offset"], &paging["end_offset"]].map(|number| number.as_u64().expect("a number"))
    };
    let cases = [
        ("", 25, [30, 1, 25]),
        ("?page_no=2", 5, [30, 26, 30]),
        ("?page_no=1.0&per_page=30.0", 30, [30, 1, 30]),
        ("?page_no=4&per_page=7", 7, [30, 22, 28]),
        ("?page_no=99", 0, [30, 0, 0]),
        ("?page_no=0&per_page=0", 25, [30, 1, 25]),
        ("?page_no=&per_page=&meeting_id=x&unknown=%00", 25, [30, 1, 25]),
        ("?per_page=100000", 30, [30, 1, 30]),
        ("?page_no=1e30", 0, [30, 0, 0]),
    ];
    for (query, count, place) in cases {
        let listed = app.get(&format!("/meetings{query}")).await.expect(200);
        assert_eq!((listed["data"].as_array().map(Vec::len), paging(&listed)), (Some(count), place), "{query}");
    }
    for query in
        ["?page_no=-1", "?per_page=x", "?page_no=1.5", "?per_page=NaN", "?status=OPEN", "?start_time=yesterday", "?search=%00"]
    {
        assert!(app.get(&format!("/meetings{query}")).await.refused(400).starts_with("BAD_REQUEST: \""), "{query}");
    }
    let first = names(&app.get("/meetings?per_page=3").await.expect(200), "title");
    assert_eq!(first, ["meeting 29", "meeting 28", "meeting 27"], "newest first");
    let mut all = Vec::new();
    for page in 1..=6 {
        all.extend(names(&app.get(&format!("/meetings?per_page=5&page_no={page}")).await.expect(200), "id"));
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 30, "pages neither overlap nor leave out");
}

#[tokio::test]
async fn meetings_are_found() {
    let app = TestApp::dev().await;
    let id = app.meeting("Äpfel & 100%").await;
    let now = || app.running.doors.clock.now();
    let first = now();
    while now() == first {
        tokio::task::yield_now().await;
    }
    app.meeting("Birnen").await;
    let patched = app.call("PATCH", &format!("/meetings/{id}")).json(&json!({"status": "INACTIVE"})).send().await;
    let made = patched.expect(200)["data"]["created_at"].text();
    let cases = [
        ("search=%C3%A4PFEL".to_owned(), 1),
        ("search=100%25".to_owned(), 1),
        ("search=%25".to_owned(), 1),
        ("search=_".to_owned(), 0),
        (format!("search={}", &id[..18].to_uppercase()), 1),
        ("search=".to_owned(), 2),
        ("search=Kirschen".to_owned(), 0),
        ("status=INACTIVE".to_owned(), 1),
        ("status=ACTIVE".to_owned(), 1),
        (format!("start_time={made}"), 2),
        (format!("end_time={}", made.replace('Z', "%2B00:00")), 1),
        (format!("end_time={}", made.replace('Z', "+00:00")), 1),
        ("end_time=2001-01-01T00:00:00Z".to_owned(), 0),
        ("status=INACTIVE&search=Birnen".to_owned(), 0),
    ];
    for (query, count) in cases {
        let listed = app.get(&format!("/meetings?{query}")).await.expect(200);
        assert_eq!(listed["paging"]["total_count"], count, "{query}");
    }
}

#[tokio::test]
async fn apps_presets_and_participants() {
    let app = TestApp::dev().await;
    let presets = app.get("/presets?search=WEBINAR&per_page=1").await.expect(200);
    assert_eq!(
        (presets["paging"]["total_count"].as_u64(), names(&presets, "name")),
        (Some(2), vec!["webinar_presenter".to_owned()])
    );
    let apps = |query: &str| {
        app.bare("GET", &format!("/accounts/dev/realtime/kit/apps{query}")).header("authorization", "Bearer dev-token")
    };
    let make = app.bare("POST", "/accounts/dev/realtime/kit/apps").header("authorization", "Bearer dev-token");
    make.json(&json!({"name": "Later"})).send().await.expect(200);
    assert_eq!(names(&apps("").send().await.expect(200), "name"), ["Later", "dev"]);
    assert_eq!(names(&apps("?sort_order=ASC").send().await.expect(200), "name"), ["dev", "Later"]);
    assert_eq!(names(&apps("?search=later").send().await.expect(200), "name"), ["Later"]);
    apps("?sort_order=DSC").send().await.refused(400);

    let meeting = app.meeting("Planning").await;
    for number in 0..3 {
        // The same id of the caller's own twice makes two participants.
        app.participant(&meeting, "group_call_guest", &format!("c{}", number / 2)).await;
    }
    let listed = app.get(&format!("/meetings/{meeting}/participants?per_page=2&search=ignored")).await.expect(200);
    assert_eq!(names(&listed, "custom_participant_id"), ["c1", "c0"]);
    assert_eq!(listed["paging"], json!({"total_count": 3, "start_offset": 1, "end_offset": 2}));
}

#[tokio::test]
async fn sessions_are_found() {
    let app = TestApp::dev().await;
    let (one, two) = (app.meeting("First").await, app.meeting("Second").await);
    app.enter(&one, "ada").await;
    app.call("POST", &format!("/meetings/{one}/active-session/kick-all")).send().await.expect(200);
    app.enter(&two, "ada").await;
    app.enter(&two, "bob").await;
    let live = app.get(&format!("/meetings/{two}/active-session")).await.expect(200)["data"]["id"].text();
    let cases = [
        (String::new(), 2),
        ("status=LIVE".to_owned(), 1),
        ("status=ENDED".to_owned(), 1),
        (format!("associated_id={one}"), 1),
        (format!("meeting_id={one}"), 2),
        ("search=SECOND".to_owned(), 1),
        (format!("search={live}"), 1),
        (format!("search={two}"), 1),
        ("participants=2:10".to_owned(), 1),
        ("participants=:1".to_owned(), 1),
        ("participants=1:".to_owned(), 2),
        ("participants=2".to_owned(), 1),
        ("start_time=2001-01-01T00:00:00Z".to_owned(), 2),
        ("end_time=2001-01-01T00:00:00Z".to_owned(), 0),
    ];
    for (query, count) in cases {
        let listed = app.get(&format!("/sessions?{query}")).await.expect(200);
        assert_eq!(listed["paging"]["total_count"], count, "{query}");
    }
    for query in [
        "participants=a:b",
        "participants=-1:2",
        "status=OPEN",
        "sort_by=name",
        "associated_id=x",
        "sort_order=UP",
        // What got lost on the way to a filter must not list everything.
        "associated_id=",
        "participants=",
        "status=",
        "sort_by=",
        "sort_order=",
        "start_time=",
        "end_time=",
    ] {
        app.get(&format!("/sessions?{query}")).await.refused(400);
    }
    for sort_by in ["createdAt", "minutesConsumed"] {
        for (order, expected) in [("ASC", [&one, &two]), ("DESC", [&two, &one])] {
            // The second has run longer by the time it is asked for; give the sum of its two peers a moment to grow.
            let mut listed = Value::Null;
            for _ in 0..200 {
                listed = app.get(&format!("/sessions?sort_by={sort_by}&sort_order={order}")).await.expect(200);
                if listed["data"]["sessions"][0]["associated_id"] == *expected[0] {
                    break;
                }
            }
            let found: Vec<_> = listed["data"]["sessions"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|session| session["associated_id"].text())
                .collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{sort_by} {order}");
        }
    }
}

#[tokio::test]
async fn people_of_a_session_are_found() {
    let app = TestApp::dev().await;
    let meeting = app.meeting("Planning").await;
    let (zoe, _) = app.enter(&meeting, "Zoë").await;
    for name in ["bob", "eve", "kim"] {
        app.enter(&meeting, name).await;
    }
    let session = app.get(&format!("/meetings/{meeting}/active-session")).await.expect(200)["data"]["id"].text();
    let cases = [
        (String::new(), vec!["kim", "eve", "bob", "Zoë"]),
        ("sort_order=ASC".to_owned(), vec!["Zoë", "bob", "eve", "kim"]),
        ("sort_by=duration&sort_order=DESC".to_owned(), vec!["Zoë"]),
        ("search=ZO%C3%8B".to_owned(), vec!["Zoë"]),
        (format!("search={zoe}"), vec!["Zoë"]),
        ("search=nobody".to_owned(), vec![]),
        ("per_page=2&page_no=2".to_owned(), vec!["bob", "Zoë"]),
        ("page_no=9".to_owned(), vec![]),
    ];
    for (query, expected) in cases {
        let listed = app.get(&format!("/sessions/{session}/participants?{query}")).await.expect(200);
        let people = listed["data"]["participants"].as_array().expect("a list");
        let found: Vec<_> = people.iter().map(|peer| peer["display_name"].text()).collect();
        assert_eq!(found[..expected.len()], expected, "{query}");
    }
    for query in ["sort_by=name", "view=both", "include_peer_events=perhaps"] {
        app.get(&format!("/sessions/{session}/participants?{query}")).await.refused(400);
    }
}
