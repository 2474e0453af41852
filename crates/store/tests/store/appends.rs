//! Writing sessions: order, refusals, and many callers at once.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::task::Poll;

use salon_store::{Append, Error, OpenOptions, Rule, RunId, SessionRow, Store};

use crate::bed::*;
use crate::rows::refused;
use crate::script::Script;

on_both_engines! {
    async fn events_and_row_are_written_together(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        talk.join(5, "ann");
        store.append(talk.append(&run)).await.unwrap();
        talk.join(6, "bob").rename(7, "ann", "Ann\0e").rename(8, "bob", "Ünal");
        store.append(talk.append(&run)).await.unwrap();

        let row = store.live_session_of(&id("m")).await.unwrap().unwrap();
        assert_eq!(row.summary, talk.record.summary());
        assert_eq!((row.owner_node.as_str(), &row.owner_run, row.epoch, row.summary.seq), ("n1", &run, 1, 5));
        assert_eq!(store.events(&id("s"), 0, 100).await.unwrap(), talk.events);
        assert_eq!(store.events(&id("s"), 2, 2).await.unwrap(), talk.events[2..4]);
        assert_eq!(store.record(&id("s")).await.unwrap(), Some(talk.record.clone()));

        talk.end(9);
        store.append(talk.append(&run)).await.unwrap();
        assert_eq!(store.live_session_of(&id("m")).await.unwrap(), None);
        let row = store.session_row(&id("a"), &id("s")).await.unwrap().unwrap();
        assert_eq!(row.summary, talk.record.summary());
        assert_eq!(row.summary.ended_at, Some(NOON.plus_ms(9)));
    }

    async fn an_append_must_follow_what_is_stored(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        let start = talk.append(&run);
        talk.join(1, "ann");
        let second = talk.append(&run);
        talk.join(2, "bob").join(3, "cy");
        let third = talk.append(&run);

        refused!(store.append(second.clone()).await, Error::Conflict(Rule::NotContiguous));
        store.append(start.clone()).await.unwrap();
        refused!(store.append(third.clone()).await, Error::Conflict(Rule::NotContiguous));
        store.append(second).await.unwrap();
        let mut torn = third.clone();
        torn.sessions[0].events[1].seq += 1;
        refused!(store.append(torn).await, Error::Conflict(Rule::NotContiguous));
        let mut other = third.clone();
        other.sessions[0].events[0].seq = 2;
        refused!(store.append(other).await, Error::Conflict(Rule::NotContiguous));
        store.append(third).await.unwrap();
        store.append(Append { run: run.clone(), sessions: Vec::new(), acts: Vec::new() }).await.unwrap();
        assert_eq!(store.record(&id("s")).await.unwrap(), Some(talk.record.clone()));

        talk.end(4);
        store.append(talk.append(&run)).await.unwrap();
        talk.join(5, "late");
        refused!(store.append(talk.append(&run)).await, Error::Conflict(Rule::SessionEnded));
    }

    /// The answer to a commit can get lost on the way; whoever asks again must not be told that it failed.
    async fn an_append_made_again_is_in(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        let start = talk.append(&run);
        talk.join(1, "ann").end(2);
        let rest = talk.append(&run);
        for append in [&start, &start, &rest, &start, &rest] {
            store.append(append.clone()).await.unwrap();
        }
        assert_eq!(store.events(&id("s"), 0, 100).await.unwrap(), talk.events);

        let mut forged = rest.clone();
        forged.sessions[0].events[0].at = NOON.plus_ms(77);
        refused!(store.append(forged).await, Error::Conflict(Rule::SessionEnded));
        let mut foreign = rest;
        foreign.sessions[0].epoch = 2;
        refused!(store.append(foreign).await, Error::NotOwner);
    }

    async fn an_end_makes_room_for_the_next_start_in_one_append(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let mut first = Script::start("s1", "m");
        store.append(first.append(&run)).await.unwrap();
        let mut second = Script::start("s2", "m");
        refused!(store.append(second.append(&run)).await, Error::Conflict(Rule::LiveSessionExists));

        first.end(10);
        let mut second = Script::start("s2", "m");
        let both = Append { run: run.clone(), sessions: vec![first.part(), second.part()], acts: Vec::new() };
        store.append(both.clone()).await.unwrap();
        store.append(both).await.unwrap();
        assert_eq!(store.live_session_of(&id("m")).await.unwrap().unwrap().summary.session, id("s2"));
        assert_eq!(store.record(&id("s1")).await.unwrap().unwrap(), first.record);
    }

    async fn an_append_is_all_or_nothing(bed: Bed) {
        let store = &bed.store;
        let run = bed.run("n1", "r1").await;
        let mut first = Script::start("s1", "m1");
        let mut busy = Script::start("s2", "m2");
        store.append(Append { run: run.clone(), sessions: vec![first.part(), busy.part()], acts: Vec::new() }).await.unwrap();
        let before = store.session_row(&id("a"), &id("s1")).await.unwrap().unwrap();

        first.end(10);
        let mut refused = Script::start("s3", "m2");
        let append = Append { run: run.clone(), sessions: vec![first.part(), refused.part()], acts: Vec::new() };
        refused!(store.append(append).await, Error::Conflict(Rule::LiveSessionExists));
        let after = store.session_row(&id("a"), &id("s1")).await.unwrap().unwrap();
        // When its owner was seen moves on with the clock that nodes share.
        assert_eq!(after, SessionRow { owner_seen_at: after.owner_seen_at, ..before });
        assert_eq!(store.events(&id("s1"), 0, 100).await.unwrap().len(), 1);
        assert_eq!(store.record(&id("s3")).await.unwrap(), None);
    }

    async fn only_a_registered_run_begins_sessions(bed: Bed) {
        let mut talk = Script::start("s", "m");
        refused!(bed.store.append(talk.append(&RunId::new("nobody"))).await, Error::NotOwner);
        let old = bed.run("n1", "r1").await;
        bed.run("n1", "r2").await;
        let mut talk = Script::start("s", "m");
        refused!(bed.store.append(talk.append(&old)).await, Error::NotOwner);
    }

    async fn refused_appends_do_not_disturb_their_neighbours(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let taken = bed.run("n2", "r2").await;
        bed.store.append(Script::start("held", "held").append(&taken)).await.unwrap();
        let mut tasks = Vec::new();
        for n in 0..200 {
            let store = bed.store.clone();
            let run = run.clone();
            tasks.push(tokio::spawn(async move {
                let mut talk = Script::start(&format!("s{n}"), &format!("m{n}"));
                let append = match n % 5 {
                    // A gap, somebody else's session, a meeting that has one, a run nobody knows.
                    0 => {
                        talk.part();
                        talk.join(1, "ann").append(&run)
                    }
                    1 => {
                        let mut held = Script::start("held", "held");
                        held.part();
                        held.join(1, "ann").append(&run)
                    }
                    2 => Script::start(&format!("s{n}"), "held").append(&run),
                    3 if n % 2 == 0 => talk.append(&RunId::new("nobody")),
                    _ => talk.join(1, "ann").append(&run),
                };
                (n, store.append(append).await)
            }));
        }
        let mut accepted = BTreeSet::new();
        for task in tasks {
            let (n, outcome) = task.await.unwrap();
            match n % 5 {
                0 => { refused!(outcome, Error::Conflict(Rule::NotContiguous)); }
                1 => { refused!(outcome, Error::NotOwner); }
                2 => { refused!(outcome, Error::Conflict(Rule::LiveSessionExists)); }
                3 if n % 2 == 0 => { refused!(outcome, Error::NotOwner); }
                _ => {
                    outcome.unwrap();
                    accepted.insert(n);
                }
            }
        }
        assert_eq!(accepted.len(), 60);
        for n in 0..200 {
            let record = bed.store.record(&id(&format!("s{n}"))).await.unwrap();
            assert_eq!(record.map(|record| record.seq), accepted.contains(&n).then_some(2), "s{n}");
        }
        assert_eq!(bed.store.events(&id("held"), 0, 10).await.unwrap().len(), 1);
    }

    async fn callers_that_do_not_wait_for_each_other_stay_in_order(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let mut talk = Script::start("s", "m");
        let mut appends = vec![talk.append(&run)];
        for n in 1..150 {
            appends.push(talk.join(n, &format!("p{n}")).append(&run));
        }
        appends.push(talk.end(150).append(&run));
        let next = Script::start("s2", "m").append(&run);
        // Polled in turn, they queue in turn.
        let mut waiting = Vec::new();
        for append in appends.into_iter().chain([next]) {
            let store = bed.store.clone();
            let mut append = Box::pin(async move { store.append(append).await });
            let early = std::future::poll_fn(|cx| std::task::Poll::Ready(append.as_mut().poll(cx))).await;
            match early {
                std::task::Poll::Ready(outcome) => outcome.unwrap(),
                std::task::Poll::Pending => waiting.push(append),
            }
        }
        for append in waiting {
            append.await.unwrap();
        }
        assert_eq!(bed.store.record(&id("s")).await.unwrap(), Some(talk.record));
        assert_eq!(bed.store.live_session_of(&id("m")).await.unwrap().unwrap().summary.session, id("s2"));
    }

    async fn of_twenty_starts_in_one_meeting_one_wins(bed: Bed) {
        let mut nodes = Vec::new();
        for n in 0..4 {
            nodes.push((bed.other().await, bed.run(&format!("n{n}"), &format!("r{n}")).await));
        }
        for round in 0..5 {
            let meeting = format!("m{round}");
            let mut tasks = Vec::new();
            for n in 0..20 {
                let (store, run) = nodes[n % 4].clone();
                // Some also carry another session, which must share their fate.
                let mut start = Script::start(&format!("s{round}-{n}"), &meeting);
                let mut rider = Script::start(&format!("rider{round}-{n}"), &format!("rider{round}-{n}"));
                let mut sessions = vec![start.part()];
                if n % 3 == 0 {
                    sessions.insert(0, rider.part());
                }
                tasks.push(tokio::spawn(async move { (n, store.append(Append { run, sessions, acts: Vec::new() }).await) }));
            }
            let mut winners = Vec::new();
            for task in tasks {
                match task.await.unwrap() {
                    (n, Ok(())) => winners.push(n),
                    (_, refusal) => { refused!(refusal, Error::Conflict(Rule::LiveSessionExists)); }
                }
            }
            assert_eq!(winners.len(), 1);
            let live = bed.store.live_session_of(&id(&meeting)).await.unwrap().unwrap();
            assert_eq!(live.summary.session, id(&format!("s{round}-{}", winners[0])));
            for n in 0..20 {
                let won = winners[0] == n;
                let record = bed.store.record(&id(&format!("s{round}-{n}"))).await.unwrap();
                assert_eq!(record.is_some(), won);
                let rider = bed.store.record(&id(&format!("rider{round}-{n}"))).await.unwrap();
                assert_eq!(rider.is_some(), won && n % 3 == 0);
            }
        }
    }

    async fn a_closed_store_writes_what_was_queued_and_refuses_the_rest(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        let store = bed.other().await;
        let mut tasks = Vec::new();
        for n in 0..50 {
            let store = store.clone();
            let append = Script::start(&format!("s{n}"), &format!("m{n}")).append(&run);
            tasks.push(tokio::spawn(async move { store.append(append).await }));
        }
        tokio::task::yield_now().await;
        store.close().await;
        let mut written = BTreeSet::new();
        for (n, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(()) => drop(written.insert(n)),
                refusal => { refused!(refusal, Error::Unavailable(_)); }
            }
        }
        refused!(store.append(Script::start("late", "late").append(&run)).await, Error::Unavailable(_));
        refused!(store.ping().await, Error::Unavailable(_));
        store.close().await;
        let again = open(&bed.url).await;
        for n in 0..50 {
            let stored = again.record(&id(&format!("s{n}"))).await.unwrap().is_some();
            assert_eq!(stored, written.contains(&n), "s{n}");
        }
    }
}

/// Postgres sacrifices transactions to one another now and then. Here a trigger does, as often as it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_given_up_by_the_database_is_made_again() {
    let Some(bed) = Bed::postgres().await else { return };
    let run = bed.run("n1", "r1").await;
    // A sequence keeps counting when a transaction is undone.
    bed.raw(
        "create sequence tries;
         create function give_up() returns trigger language plpgsql as $$ begin
             if nextval('tries') % 3 <> 0 then raise exception 'given up' using errcode = '40001'; end if;
             return new;
         end $$;
         create trigger give_up before insert on sessions for each row execute function give_up();
         create trigger give_up before insert on apps for each row execute function give_up();
         create trigger give_up before insert on meetings for each row execute function give_up();",
    )
    .await;
    bed.app().await;
    bed.store.create_meeting(&meeting("m", "a", None)).await.unwrap();
    bed.store.append(Script::start("s", "m").append(&run)).await.unwrap();
    assert_eq!(bed.store.record(&id("s")).await.unwrap().unwrap().seq, 1);
}

/// Whoever asked for something may go away at any moment: a client that hangs up takes its request along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_after_a_transaction_that_was_given_up_at_any_moment_is_there_for_all() {
    let Some(bed) = Bed::postgres().await else { return };
    let (run, other) = (bed.run("n1", "r1").await, bed.other().await);
    let options = OpenOptions { url: bed.url.clone(), durable: false, max_connections: 2 };
    let store = Store::open(&options).await.unwrap();
    for looks in 0..300 {
        let made = format!("a{looks}");
        let app = app(&made, "Given up");
        let mut making = Box::pin(store.create_app(&app, &[]));
        for _ in 0..looks {
            if poll_fn(|context| Poll::Ready(making.as_mut().poll(context).is_ready())).await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(making);
        for turn in 0..2 {
            let address = format!("n1:{looks}{turn}");
            store.announce_node(&run, &address).await.unwrap();
            let told = other.nodes(NOON).await.unwrap().remove(0).address;
            assert_eq!(told.as_ref(), Some(&address), "given up after {looks} looks");
        }
    }
}

/// Nothing should get so far, but if the database refuses one session's rows, the others are written without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_refuses_does_not_take_others_along() {
    let Some(bed) = Bed::postgres().await else { return };
    let run = bed.run("n1", "r1").await;
    bed.raw("alter table sessions add check (id <> 's7')").await;
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (store, append) = (bed.store.clone(), Script::start(&format!("s{n}"), &format!("m{n}")).append(&run));
        tasks.push(tokio::spawn(async move { store.append(append).await }));
    }
    for (n, task) in tasks.into_iter().enumerate() {
        let outcome = task.await.unwrap();
        if n == 7 {
            refused!(outcome, Error::Unavailable(_));
        } else {
            outcome.unwrap();
        }
        assert_eq!(bed.store.record(&id(&format!("s{n}"))).await.unwrap().is_some(), n != 7);
    }
}
