//! Runs fuzz targets without libFuzzer: the seeds first, then seeds changed at random, for a bounded time.
//!
//! `runner [--seconds S] [--runs N] [--seed N] [TARGET…]`; `runner --file FILE TARGET` for one input; and
//! `runner --write FOLDER TARGET` to write the seeds to a folder.

use bifrons_fuzz::mutate::mutate;
use bifrons_fuzz::{TARGETS, Target, seeds};
use fastrand::Rng;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// 10 seconds: an input that takes longer has found something that does not end.
const RUN_MAX: Duration = Duration::from_secs(10);

/// The input at hand, and how many have been run; for the watchdog.
static CURRENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static RUNS: AtomicU64 = AtomicU64::new(0);

struct Args {
    seconds: f64,
    runs: u64,
    seed: u64,
    file: Option<PathBuf>,
    write: Option<PathBuf>,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("{problem}\nusage: runner [--seconds S] [--runs N] [--seed N] [--file FILE] [TARGET…]");
            return ExitCode::from(2);
        }
    };
    if let Some(file) = &args.file {
        let bytes = std::fs::read(file).unwrap_or_default();
        args.targets.iter().for_each(|target| (target.run)(&bytes));
        return ExitCode::SUCCESS;
    }
    if let Some(folder) = &args.write {
        return write(folder, &args.targets);
    }
    // What panics is told by us, with the input.
    std::panic::set_hook(Box::new(|_| {}));
    let found = args.targets.iter().filter(|target| !fuzz(target, &args)).count();
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn args() -> Result<Args, String> {
    let mut parsed = Args {
        seconds: 5.0,
        runs: u64::MAX,
        seed: fastrand::u64(..),
        file: None,
        write: None,
        targets: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match &*word {
            "--seconds" => parsed.seconds = value()?.parse().map_err(|err| format!("--seconds: {err}"))?,
            "--runs" => parsed.runs = value()?.parse().map_err(|err| format!("--runs: {err}"))?,
            "--seed" => parsed.seed = value()?.parse().map_err(|err| format!("--seed: {err}"))?,
            "--file" => parsed.file = Some(value()?.into()),
            "--write" => parsed.write = Some(value()?.into()),
            name => {
                let found = TARGETS.iter().find(|target| target.name == name);
                parsed.targets.push(found.ok_or_else(|| format!("no target \"{name}\""))?);
            }
        }
    }
    if parsed.targets.is_empty() {
        parsed.targets = TARGETS.iter().collect();
    }
    Ok(parsed)
}

/// Writes the seeds, for libFuzzer to begin with.
fn write(folder: &Path, targets: &[&Target]) -> ExitCode {
    for target in targets {
        for (at, seed) in seeds::of(target.name).iter().enumerate() {
            if let Err(err) = std::fs::write(folder.join(format!("seed-{at}")), seed) {
                eprintln!("{}: {err}", folder.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Runs a target for its time; false when it found something.
fn fuzz(target: &Target, args: &Args) -> bool {
    watch(target.name);
    let seeds = seeds::of(target.name);
    let mut rng = Rng::with_seed(args.seed);
    let began = Instant::now();
    let deadline = began + Duration::from_secs_f64(args.seconds);
    let mut runs = 0u64;
    for seed in &seeds {
        runs += 1;
        if !survives(target, seed) {
            return false;
        }
    }
    // Inputs that mutations have led to, so that several of them add up.
    let mut pool = seeds.clone();
    pool.push(Vec::new());
    while runs < args.runs && Instant::now() < deadline {
        let input = rng
            .choice(&pool)
            .map(|input| mutate(&mut rng.fork(), input, &seeds, target.words))
            .unwrap_or_default();
        runs += 1;
        if !survives(target, &input) {
            eprintln!("seed {}, run {runs}", args.seed);
            return false;
        }
        if rng.u8(..) == 0 {
            let at = seeds.len() + rng.usize(..256);
            match pool.get_mut(at) {
                Some(slot) => *slot = input,
                None => pool.push(input),
            }
        }
    }
    println!(
        "{:15} {} seeds, {runs} runs in {:.1} s, seed {}",
        target.name,
        seeds.len(),
        began.elapsed().as_secs_f64(),
        args.seed
    );
    true
}

fn survives(target: &Target, input: &[u8]) -> bool {
    {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        current.clear();
        current.extend_from_slice(input);
    }
    RUNS.fetch_add(1, Ordering::Relaxed);
    let Err(panic) = std::panic::catch_unwind(|| (target.run)(input)) else { return true };
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tell(target.name, input, said.unwrap_or("a panic"));
    false
}

/// Ends the process when one input takes too long.
fn watch(target: &'static str) {
    static WATCHED: Mutex<&str> = Mutex::new("");
    let is_new =
        std::mem::replace(&mut *WATCHED.lock().unwrap_or_else(PoisonError::into_inner), target).is_empty();
    if !is_new {
        return;
    }
    std::thread::spawn(|| {
        let mut last = RUNS.load(Ordering::Relaxed);
        loop {
            std::thread::sleep(RUN_MAX);
            let now = RUNS.load(Ordering::Relaxed);
            if now == last {
                let name = *WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
                tell(name, &CURRENT.lock().unwrap_or_else(PoisonError::into_inner), "does not end");
                std::process::exit(1);
            }
            last = now;
        }
    });
}

/// Keeps the input and says how to run it again.
fn tell(target: &str, input: &[u8], said: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(target);
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    let file = folder.join(format!("crash-{hash:016x}"));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    eprintln!("{target}: {said}\ninput: {:?}", String::from_utf8_lossy(input));
    match kept {
        Ok(()) => eprintln!("again: fuzz/run.sh --file {} {target}", file.display()),
        Err(err) => eprintln!("could not keep it: {err}"),
    }
}
