use std::time::Instant;
use crate::bed::*;
use crate::script::Script;
on_both_engines! {
    #[allow(unused)]
    async fn speed(bed: Bed) {
        let run = bed.run("n1", "r1").await;
        for tasks_n in [1usize, 8, 200] {
            let start = Instant::now();
            let mut tasks = Vec::new();
            for n in 0..tasks_n {
                let (store, run) = (bed.store.clone(), run.clone());
                tasks.push(tokio::spawn(async move {
                    let mut talk = Script::start(&format!("s{tasks_n}-{n}"), &format!("m{tasks_n}-{n}"));
                    talk.join(0, "ann");
                    for step in 1..=100 { store.append(talk.append(&run)).await.unwrap(); talk.rename(step, "ann", "Ann"); }
                }));
            }
            for task in tasks { task.await.unwrap(); }
            let el = start.elapsed();
            println!("SPEED sqlite={} tasks={tasks_n} appends/s={:.0} latency={:?}", bed.is_sqlite(), 100.0*tasks_n as f64/el.as_secs_f64(), el/100);
        }
        let t = Instant::now();
        bed.store.close().await;
        println!("SPEED close {:?}", t.elapsed());
        let t = Instant::now();
        let store = open(&bed.url).await; store.migrate().await.unwrap();
        println!("SPEED reopen+migrate {:?}", t.elapsed());
        let t = Instant::now();
        for _ in 0..100 { store.live_session_of(&id("m1-0")).await.unwrap(); }
        println!("SPEED read {:?}", t.elapsed()/100);
    }
}
