//! A reflector of pods, measured: the contract of all clients is in benchmarks/README.md.

use std::{fmt::Debug, hash::Hash, time::Instant};

use anyhow::{Result, bail, ensure};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config, Resource,
    config::{KubeConfigOptions, Kubeconfig},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt, reflector, reflector::store, watcher, watcher::Event},
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    let kubeconfig = Kubeconfig::read_from(&arguments.kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let pods: Api<Pod> = Api::all(client.clone());
    let paged = watcher::Config::default();
    match arguments.form.as_str() {
        "typed" => measure(&arguments, watcher(pods, paged)).await,
        "streaming" => measure(&arguments, watcher(pods, paged.streaming_lists())).await,
        "metadata" => {
            measure(
                &arguments,
                watcher(Api::<PartialObjectMeta<Pod>>::all(client), paged),
            )
            .await
        }
        other => bail!("no form {other:?}"),
    }
}

async fn measure<K>(
    arguments: &Arguments,
    events: impl futures::Stream<Item = watcher::Result<Event<K>>>,
) -> Result<()>
where
    K: Resource + Clone + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + Hash + Clone,
{
    let (reader, writer) = store();
    let events = reflector(writer, events).default_backoff();
    pin_mut!(events);

    let before = resident()?;
    let started = Mark::now();
    let mut listed = None;
    let mut seen = 0;
    while let Some(event) = events.next().await {
        match event? {
            Event::InitDone => {
                let count = reader.state().len();
                ensure!(
                    count == arguments.objects,
                    "{count} objects listed, {} expected",
                    arguments.objects
                );
                listed = Some((Mark::now(), resident()?));
            }
            Event::Apply(_) => seen += 1,
            _ => {}
        }
        if listed.is_some() && seen >= arguments.events {
            break;
        }
    }
    let Some((ready, after)) = listed else {
        bail!("the stream ended before its list was complete")
    };
    let ended = Mark::now();
    println!(
        "{}",
        json!({
            "client": "kube-rs", "version": VERSION, "form": arguments.form,
            "objects": arguments.objects, "events": arguments.events,
            "list_cpu": ready.cpu - started.cpu, "list_wall": (ready.wall - started.wall).as_secs_f64(),
            "watch_cpu": ended.cpu - ready.cpu, "watch_wall": (ended.wall - ready.wall).as_secs_f64(),
            "rss_before": before, "rss_after": after,
        })
    );
    Ok(())
}

/// As in Cargo.toml; cargo tells a program its own version only.
const VERSION: &str = "5.0";

struct Mark {
    wall: Instant,
    cpu: f64,
}

impl Mark {
    fn now() -> Self {
        let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
        Mark {
            wall: Instant::now(),
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        }
    }
}

/// Resident bytes of this process.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::parse::<u64>);
    match kib {
        Some(kib) => Ok(kib? * 1024),
        None => bail!("no VmRSS"),
    }
}

struct Arguments {
    kubeconfig: String,
    form: String,
    objects: usize,
    events: usize,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let mut parsed = Arguments {
            kubeconfig: String::new(),
            form: "typed".into(),
            objects: 0,
            events: 0,
        };
        let mut given = std::env::args().skip(1);
        while let Some(option) = given.next() {
            let Some(value) = given.next() else {
                bail!("{option} needs a value")
            };
            match option.as_str() {
                "--kubeconfig" => parsed.kubeconfig = value,
                "--form" => parsed.form = value,
                "--objects" => parsed.objects = value.parse()?,
                "--events" => parsed.events = value.parse()?,
                _ => bail!("no option {option}"),
            }
        }
        Ok(parsed)
    }
}
