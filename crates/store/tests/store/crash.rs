//! A process that is killed while it writes has lost nothing it was told is written.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use salon_store::{LastSeen, RunId};

use crate::bed::*;
use crate::script::Script;

/// Where the killed process finds its database; set only for that process.
const CHILD_URL: &str = "SALON_TEST_CRASH_URL";

/// Sessions that the killed process writes at once.
const SESSIONS: usize = 8;

on_both_engines! {
    async fn a_killed_process_has_lost_nothing_acknowledged(bed: Bed) {
        // The child needs the file for itself.
        bed.store.close().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_killed", "--ignored", "--nocapture", "--quiet"])
            .env(CHILD_URL, &bed.url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = [0; SESSIONS];
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            let Some((session, seq)) = line.strip_prefix("stored ").and_then(|rest| rest.split_once(' ')) else {
                continue;
            };
            acknowledged[session.parse::<usize>().unwrap()] = seq.parse::<u64>().unwrap();
            heard += 1;
            if heard == 300 {
                // SIGKILL; what it still had said is read to the end of the pipe.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(heard >= 300, "the process ended by itself after {heard} events");

        let store = open(&bed.url).await;
        let run = RunId::new("after");
        store.register_node("n1", &run, NOON).await.unwrap();
        let orphans = store.live_sessions_to_adopt(&run, NOON, false).await.unwrap();
        assert_eq!(orphans.len(), SESSIONS);
        for (n, acknowledged) in acknowledged.into_iter().enumerate() {
            let session = id(&format!("s{n}"));
            store.take_over(&session, 1, &run, true, LastSeen::WithOwner).await.unwrap();
            let record = store.record(&session).await.unwrap().unwrap();
            assert!(record.seq >= acknowledged, "s{n}: {} < {acknowledged}", record.seq);
            let row = store.session_row(&id("a"), &session).await.unwrap().unwrap();
            assert_eq!(row.summary, record.summary());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: the process that another test kills"]
async fn writes_until_killed() {
    let Ok(url) = std::env::var(CHILD_URL) else { return };
    let store = open(&url).await;
    let run = RunId::new("killed");
    store.register_node("n1", &run, NOON).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..SESSIONS {
        let (store, run) = (store.clone(), run.clone());
        tasks.push(tokio::spawn(async move {
            let mut talk = Script::start(&format!("s{n}"), &format!("m{n}"));
            talk.join(0, "ann");
            for step in 1.. {
                let append = talk.append(&run);
                let seq = talk.record.seq;
                store.append(append).await.unwrap();
                // One write call a line, so that a line is whole or absent.
                if std::io::stdout().lock().write_all(format!("stored {n} {seq}\n").as_bytes()).is_err() {
                    return;
                }
                talk.rename(step, "ann", "Ann");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}
