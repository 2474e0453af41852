//! What webhooks are told: with the event or not at all, in order, by one run at a time; and looking back at it.

use std::time::Instant;

use salon_core::notice::News;
use salon_core::{DeliveryId, WebhookId};
use salon_store::*;

use crate::bed::*;
use crate::rows::refused;
use crate::script::Script;

const ALL: [&str; 4] = ["meeting.started", "meeting.ended", "meeting.participantJoined", "meeting.participantLeft"];

fn webhook(name: &str, events: &[&str]) -> Webhook {
    Webhook {
        id: id(name),
        app: id("a"),
        name: name.to_owned(),
        url: format!("https://{name}.example.org/"),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        enabled: true,
        secret: None,
        created_at: NOON,
        updated_at: NOON,
    }
}

/// Takes what there is for a webhook: its lanes, each as the names and positions of its deliveries.
async fn take(store: &Store, run: &RunId, webhook: &str, at_ms: i64) -> Vec<Lane> {
    let wanted = Wanted { webhook: id(webhook), lanes: 8, is_idle: true };
    let claimed = store.deliver(run, &[], &[wanted], NOON.plus_ms(at_ms)).await.unwrap();
    claimed.into_iter().flat_map(|claimed| claimed.lanes).collect()
}

fn names(lanes: &[Lane]) -> Vec<String> {
    let said = |delivery: &Delivery| format!("{} {}", delivery.position, delivery.event.trim_start_matches("meeting."));
    lanes.iter().flat_map(|lane| &lane.deliveries).map(said).collect()
}

fn tried(lane: &Lane, at: usize, next: Next) -> Tried {
    let delivery = &lane.deliveries[at];
    Tried {
        webhook: delivery.webhook.clone(),
        subject: lane.subject.clone(),
        delivery: delivery.id.clone(),
        position: delivery.position,
        tries: delivery.tries + 1,
        at: NOON.plus_ms(50),
        status: (next == Next::Delivered).then_some(200),
        answer: Some("ok\0".to_owned()),
        next,
        lets_go: at + 1 == lane.deliveries.len() || matches!(next, Next::Again(_)),
        standing: Standing::Good,
    }
}

async fn say(store: &Store, run: &RunId, tried: &[Tried], at_ms: i64) {
    store.deliver(run, tried, &[], NOON.plus_ms(at_ms)).await.unwrap();
}

async fn due(store: &Store, at_ms: i64) -> Vec<WebhookId> {
    store.webhooks_due(NOON.plus_ms(at_ms)).await.unwrap()
}

/// Makes lanes look as if so much time had gone by, by whichever clock counts.
async fn age(bed: &Bed, by_ms: i64) {
    bed.raw(&format!("update webhook_lanes set next_ms = next_ms - {by_ms}")).await;
    bed.raw(&format!("update webhooks set paused_until_ms = paused_until_ms - {by_ms}")).await;
}

on_both_engines! {
    async fn whoever_asked_is_told_and_nobody_else(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_app(&app("b", "Other"), &[]).await.unwrap();
        for hook in [
            webhook("all", &ALL),
            webhook("joins", &["meeting.participantJoined", "recording.statusUpdate"]),
            Webhook { enabled: false, ..webhook("off", &ALL) },
            Webhook { app: id("b"), ..webhook("theirs", &ALL) },
        ] {
            assert!(store.create_webhook(&hook, 8).await.unwrap());
        }
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann").rename(6, "ann", "Annie").join(7, "bob").leave(8, "ann").end(9);
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(store.woken_webhooks().await.into_iter().collect::<Vec<_>>(), [id("all"), id("joins")]);
        let mut due = due(store, 10).await;
        due.sort();
        assert_eq!(due, [id("all"), id("joins")]);

        let lanes = take(store, &run, "all", 10).await;
        let told = ["1 started", "2 participantJoined", "4 participantJoined", "5 participantLeft", "6 ended"];
        assert_eq!(names(&lanes), told);
        assert_eq!(names(&take(store, &run, "joins", 10).await), ["2 participantJoined", "4 participantJoined"]);
        for silent in ["off", "theirs", "all"] {
            assert!(take(store, &run, silent, 10).await.is_empty(), "{silent}");
        }
        let notices: Vec<_> = lanes[0].deliveries.iter().map(|delivery| &delivery.notice).collect();
        assert!(notices.iter().all(|notice| notice.session == id("s") && notice.title == "Planning"));
        let News::Left(visit, left_at) = &notices[3].news else { panic!("{:?}", notices[3]) };
        assert_eq!((visit.name.as_str(), visit.joined_at, *left_at), ("ann\u{0}", NOON.plus_ms(5), NOON.plus_ms(8)));
        let mut ids: Vec<_> = lanes[0].deliveries.iter().map(|delivery| &delivery.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), told.len());
    }

    async fn what_is_not_written_is_not_told_and_what_is_written_once_is_told_once(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let mut talk = Script::start("s", "m");
        let start = talk.append(&run);
        talk.join(5, "ann");
        let join = talk.append(&run);
        refused!(store.append(join.clone()).await, Error::Conflict(Rule::NotContiguous));
        assert_eq!(store.open_deliveries().await.unwrap(), (0, None));
        for append in [&start, &start, &join, &start, &join] {
            store.append(append.clone()).await.unwrap();
        }
        let mut other = Script::start("t", "m");
        refused!(store.append(other.append(&run)).await, Error::Conflict(Rule::LiveSessionExists));
        assert_eq!(store.open_deliveries().await.unwrap(), (2, Some(NOON)));
        assert_eq!(names(&take(store, &run, "all", 10).await), ["1 started", "2 participantJoined"]);
    }

    async fn of_one_session_nothing_overtakes(bed: Bed) {
        let store = &bed.store;
        let (run, other) = (bed.run("n1", "r1").await, bed.run("n2", "r2").await);
        bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let (mut talk, mut side) = (Script::start("s", "m"), Script::start("t", "n"));
        store.append(talk.append(&run)).await.unwrap();
        let held = take(store, &run, "all", 10).await;
        // More comes while the first is under way.
        talk.join(5, "ann");
        store.append(talk.append(&run)).await.unwrap();
        store.append(side.append(&run)).await.unwrap();
        let aside = take(store, &other, "all", 11).await;
        assert_eq!((aside.len(), aside[0].subject.as_str()), (1, "t"), "another session does not wait");
        say(store, &run, &[tried(&held[0], 0, Next::Again(5_000))], 12).await;
        assert!(take(store, &other, "all", 13).await.is_empty(), "what follows waits with it");
        age(&bed, 5_000).await;
        let again = take(store, &other, "all", 14).await;
        assert_eq!((names(&again), again[0].deliveries[0].tries), (vec!["1 started".into(), "2 participantJoined".into()], 1));
        assert_eq!(again[0].deliveries[0].id, held[0].deliveries[0].id, "it is the same delivery");
        // Who has lost the lane changes nothing any more.
        say(store, &run, &[tried(&held[0], 0, Next::Again(1))], 15).await;
        assert!(take(store, &run, "all", 1_000).await.is_empty());
        say(store, &other, &[tried(&again[0], 0, Next::Delivered), tried(&again[0], 1, Next::Failed)], 16).await;
        say(store, &other, &[tried(&aside[0], 0, Next::Delivered)], 17).await;
        age(&bed, LANE_HELD_MS * 2).await;
        assert!(due(store, 20).await.is_empty(), "all is told");
        // What comes then opens the lane again.
        talk.leave(20, "ann");
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(names(&take(store, &run, "all", 21).await), ["3 participantLeft"]);
    }

    async fn a_lane_is_free_when_its_holder_is_dead(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(take(store, &run, "all", 10).await.len(), 1);
        store.free_lanes().await.unwrap();
        assert!(take(store, &run, "all", 11).await.is_empty(), "its holder lives");
        age(&bed, LANE_HELD_MS + 1_000).await;
        assert_eq!(take(store, &run, "all", 12).await.len(), 1, "a holder that says nothing loses it");
        // The node is killed and comes back.
        let next = bed.run("n1", "r2").await;
        assert!(take(store, &next, "all", 13).await.is_empty());
        store.free_lanes().await.unwrap();
        assert_eq!(take(store, &next, "all", 14).await.len(), 1);
    }

    async fn one_that_does_not_answer_is_tried_by_one_and_rests(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        for (session, meeting) in [("s", "m"), ("t", "n"), ("u", "o")] {
            let mut talk = Script::start(session, meeting);
            store.append(talk.append(&run)).await.unwrap();
        }
        let held = take(store, &run, "all", 10).await;
        assert_eq!(held.len(), 3);
        let failing = |at: usize, rest_ms| Tried {
            standing: Standing::Failing(rest_ms),
            ..tried(&held[at], 0, Next::Again(600_000))
        };
        say(store, &run, &[failing(0, 0), failing(1, 0)], 11).await;
        age(&bed, 700_000).await;
        let busy = Wanted { webhook: id("all"), lanes: 8, is_idle: false };
        assert!(store.deliver(&run, &[], &[busy], NOON.plus_ms(12)).await.unwrap().is_empty(), "only while nothing is under way");
        assert_eq!(take(store, &run, "all", 13).await.len(), 1, "one at a time");
        say(store, &run, &[failing(2, 60_000)], 14).await;
        age(&bed, 1_000).await;
        assert!(due(store, 15).await.is_empty() && take(store, &run, "all", 16).await.is_empty(), "it rests");
        // It answers: all that waits goes out at once.
        let one = Tried { standing: Standing::Recovered, ..tried(&held[0], 0, Next::Delivered) };
        say(store, &run, &[one], 17).await;
        assert!(!take(store, &run, "all", 18).await.is_empty());
    }

    async fn switching_off_holds_back_and_deleting_forgets(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let a = bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 2).await.unwrap();
        store.create_webhook(&webhook("more", &ALL), 2).await.unwrap();
        assert!(!store.create_webhook(&webhook("toomany", &ALL), 2).await.unwrap());
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&run)).await.unwrap();
        let set = async |enabled| {
            let change = |hook| Ok::<_, Error>(Webhook { enabled, ..hook });
            store.edit_webhook(&a, &id("all"), change).await.unwrap()
        };
        set(false).await;
        assert!(take(store, &run, "all", 10).await.is_empty());
        talk.join(5, "ann");
        store.append(talk.append(&run)).await.unwrap();
        set(true).await;
        assert_eq!(names(&take(store, &run, "all", 11).await), ["1 started"], "not what happened meanwhile");

        let listed: Vec<_> = store.webhooks(&a).await.unwrap().into_iter().map(|hook| hook.name).collect();
        assert_eq!(listed, ["more", "all"]);
        assert_eq!(store.delete_webhook(&a, &id("more")).await.unwrap(), webhook("more", &ALL));
        refused!(store.delete_webhook(&a, &id("more")).await, Error::NotFound);
        refused!(store.delete_webhook(&id("b"), &id("all")).await, Error::NotFound);
        assert_eq!(store.webhook(&a, &id("more")).await.unwrap(), None);
        assert_eq!(store.open_deliveries().await.unwrap().0, 1);
    }

    async fn secrets_are_kept_with_the_one_before(bed: Bed) {
        let store = &bed.store;
        let a = bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let secret = Some(Secret { now: "new".into(), former: Some(("old".into(), NOON.plus_ms(5))) });
        let change = |hook| Ok::<_, Error>(Webhook { secret: secret.clone(), ..hook });
        store.edit_webhook(&a, &id("all"), change).await.unwrap();
        assert_eq!(store.webhook(&a, &id("all")).await.unwrap().unwrap().secret, secret);
    }

    async fn an_end_from_outside_is_told(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_webhook(&webhook("ends", &["meeting.ended"]), 8).await.unwrap();
        let mut talk = Script::start("s", "m");
        store.append(talk.append(&run)).await.unwrap();
        let ended = store.end_session(&id("s"), NOON.plus_ms(9)).await.unwrap();
        let lanes = take(store, &run, "ends", 10).await;
        assert_eq!(names(&lanes), ["2 ended"]);
        assert!(matches!(lanes[0].deliveries[0].notice.news, News::Ended { at, .. } if at == ended));
    }

    async fn what_was_told_can_be_looked_at_and_told_again(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let a = bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann").leave(8, "ann");
        store.append(talk.append(&run)).await.unwrap();
        let lanes = take(store, &run, "all", 10).await;
        say(store, &run, &[tried(&lanes[0], 0, Next::Delivered), tried(&lanes[0], 1, Next::Failed)], 11).await;
        let list = async |filter: DeliveryFilter| {
            let found = store.deliveries(&id("all"), &filter).await.unwrap();
            assert_eq!(found.items.len() as u64, found.total);
            found.items
        };
        let all = list(DeliveryFilter::default()).await;
        let seen: Vec<_> = all.iter().map(|one| (one.position, one.state, one.tries, one.status)).collect();
        use DeliveryState::{Delivered, Failed, Open};
        assert_eq!(seen, [(3, Open, 0, None), (2, Failed, 1, None), (1, Delivered, 1, Some(200))]);
        assert_eq!(all[2].answer.as_deref(), Some("ok\u{fffd}"));
        assert!(all[0].next_at.is_some() && all[1].next_at.is_none());
        let failed = list(DeliveryFilter { state: Some(Failed), ..DeliveryFilter::default() }).await;
        assert_eq!(failed, all[1..2]);
        let left = DeliveryFilter { event: Some("meeting.participantLeft".into()), ..DeliveryFilter::default() };
        assert_eq!(list(left).await, all[..1]);
        assert!(list(DeliveryFilter { session: Some(id("t")), ..DeliveryFilter::default() }).await.is_empty());

        let again = store.tell_webhook(&id("all"), &failed[0].notice, NOON.plus_ms(20)).await.unwrap();
        assert_eq!((again.notice.clone(), again.state, again.tries), (failed[0].notice.clone(), Open, 0));
        assert_ne!(again.id, failed[0].id);
        assert_eq!(store.delivery(&id("all"), &again.id).await.unwrap(), Some(again.clone()));
        let told = take(store, &run, "all", 21).await;
        assert_eq!((told.len(), &told[0].deliveries[0].id), (1, &again.id), "it does not wait for the session's lane");
        say(store, &run, &[tried(&told[0], 0, Next::Delivered)], 22).await;

        // As of the record, so also what a new one has never heard.
        store.create_webhook(&webhook("new", &["meeting.started"]), 8).await.unwrap();
        let replay = async |from, to, events: &[&str], most| {
            let events: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
            let span = (NOON.plus_ms(from), NOON.plus_ms(to));
            store.replay((&a, &id("new")), span, &events, most, NOON.plus_ms(30)).await.unwrap()
        };
        assert_eq!(replay(5, 8, &ALL, 1).await, Replayed::TooMany);
        assert_eq!(replay(9, 99, &ALL, 9).await, Replayed::Deliveries(0));
        assert_eq!(replay(0, 99, &ALL[2..3], 9).await, Replayed::Deliveries(1));
        assert_eq!(replay(5, 8, &ALL, 9).await, Replayed::Deliveries(2));
        let mut told = take(store, &run, "new", 31).await;
        told.sort_by_key(|lane| lane.deliveries.len());
        assert_eq!(names(&told[..1]), ["2 participantJoined"]);
        assert_eq!(names(&told[1..]), ["2 participantJoined", "3 participantLeft"]);
        assert_eq!(told[1].deliveries[1].notice, all[0].notice);
    }

    async fn a_feed_is_read_without_gap_or_double(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let a = bed.app().await;
        let events = ALL.map(str::to_owned);
        let read = async |after, limit| store.read_feed(&a, &events, after, limit, NOON).await.unwrap();
        let mut before = Script::start("s0", "m0");
        store.append(before.append(&run)).await.unwrap();
        assert!(read(0, 9).await.is_empty(), "it begins with the first question");
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann");
        store.append(talk.append(&run)).await.unwrap();
        let first = read(0, 1).await;
        talk.join(6, "bob").leave(7, "ann");
        store.append(talk.append(&run)).await.unwrap();
        before.end(3);
        store.append(before.append(&run)).await.unwrap();
        let mut seen: Vec<FeedEntry> = first;
        loop {
            let more = read(seen.last().map_or(0, |last| last.number), 2).await;
            if more.is_empty() {
                break;
            }
            seen.extend(more);
        }
        assert_eq!(read(0, 99).await, seen, "asked again it says the same");
        let numbers: Vec<_> = seen.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        let seqs: Vec<_> = seen.iter().filter(|entry| entry.notice.session == id("s")).map(|entry| entry.notice.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4]);
        assert_eq!(store.open_deliveries().await.unwrap().0, 0, "nobody is told");
        assert!(store.webhooks(&a).await.unwrap().is_empty(), "a feed is no webhook");
        // Numbers go on though what was read is swept.
        store.sweep_deliveries(NOON.plus_ms(100)).await.unwrap();
        assert!(read(0, 99).await.is_empty());
        talk.end(200);
        assert!(read(5, 99).await.is_empty(), "nobody read it for so long that it began anew");
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(read(5, 99).await.iter().map(|entry| entry.number).collect::<Vec<_>>(), [6]);
    }

    /// What a join costs in the store: without news, with news that nobody wants, and with somebody who is told.
    async fn an_app_without_webhooks_pays_next_to_nothing(bed: Bed) {
        const JOINS: usize = 300;
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_app(&app("b", "Other"), &[]).await.unwrap();
        store.create_webhook(&Webhook { app: id("b"), ..webhook("all", &ALL) }, 8).await.unwrap();
        let (mut silent, mut unheard) = (Script::start("s", "m"), Script::start("t", "n"));
        let mut told = Script::start_in("b", "u", "o", "Planning", NOON);
        let mut took = [const { Vec::new() }; 3];
        for join in 0..JOINS {
            for (kind, talk) in [&mut silent, &mut unheard, &mut told].into_iter().enumerate() {
                let mut append = talk.join(join as i64, &format!("p{join}")).append(&run);
                if kind == 0 {
                    append.sessions.iter_mut().for_each(|session| session.notices.clear());
                }
                let began = Instant::now();
                store.append(append).await.unwrap();
                took[kind].push(began.elapsed());
            }
        }
        for kind in &mut took {
            kind.sort();
        }
        let [silent, unheard, told] = took.map(|kind| kind[JOINS / 2]);
        println!("append of a join: {silent:?} without news, {unheard:?} with, {told:?} with a webhook");
        assert!(unheard < silent * 2 && told < silent * 4, "{silent:?} {unheard:?} {told:?}");
        assert_eq!(store.open_deliveries().await.unwrap().0 as usize, JOINS + 1);
    }

    async fn old_deliveries_go(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        bed.app().await;
        store.create_webhook(&webhook("all", &ALL), 8).await.unwrap();
        let mut talk = Script::start("s", "m");
        talk.join(50, "ann");
        store.append(talk.append(&run)).await.unwrap();
        store.give_up_deliveries(NOON.plus_ms(10)).await.unwrap();
        let failed = DeliveryFilter { state: Some(DeliveryState::Failed), ..DeliveryFilter::default() };
        let failed = store.deliveries(&id("all"), &failed).await.unwrap().items;
        assert_eq!((failed.len(), failed[0].position, failed[0].answer.as_deref()), (1, 1, Some("waited for too long")));
        store.sweep_deliveries(NOON.plus_ms(10)).await.unwrap();
        assert_eq!(store.delivery(&id("all"), &failed[0].id).await.unwrap(), None);
        assert_eq!(names(&take(store, &run, "all", 60).await), ["2 participantJoined"]);
        age(&bed, LANE_HELD_MS * 2).await;
        store.sweep_deliveries(NOON.plus_ms(100)).await.unwrap();
        assert!(take(store, &run, "all", 200).await.is_empty());
        assert!(due(store, 200).await.is_empty(), "an empty lane is no lane");
        assert_eq!(store.delivery(&id("all"), &DeliveryId::parse("x").unwrap()).await.unwrap(), None);
    }
}
