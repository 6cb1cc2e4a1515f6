//! Does to the servers what a script says.

use std::process::Command;
use std::thread;
use std::time::Instant;

use test_kit::PgCluster;
use test_kit::chaos::Armed;

use crate::Failed;
use crate::fault::Step;

/// All steps have been carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) at: Instant,
    /// How many of the mishaps have happened.
    pub(crate) mishaps: usize,
}

/// Carries the steps out, one after the other. Mishaps that have not happened by the end do not
/// happen any more.
///
/// # Errors
/// When something could not be done as it should.
pub(crate) fn perform(kit: &PgCluster, steps: &[Step]) -> Result<Done, Failed> {
    let mut armed = Vec::new();
    let result = steps.iter().try_for_each(|step| take(kit, step, &mut armed));
    armed.iter().for_each(Armed::disarm);
    result?;
    let mishaps = armed.iter().filter(|mishap| mishap.has_happened()).count();
    Ok(Done { at: Instant::now(), mishaps })
}

fn take(kit: &PgCluster, step: &Step, armed: &mut Vec<Armed>) -> Result<(), Failed> {
    match step {
        Step::Kill(index) => kit.kill(*index)?,
        Step::Start(index) => kit.start(*index)?,
        Step::Restart(index) => kit.restart(*index)?,
        Step::Promote(index) => kit.promote(*index)?,
        Step::KillAndPromote(index) => kit.kill_and_promote(*index)?,
        Step::Switchover(index) => kit.switchover(*index)?,
        Step::Pause(index) => kit.pause(*index)?,
        Step::Resume(index) => kit.resume(*index)?,
        Step::Rejoin(index) => kit.rejoin(*index)?,
        Step::CrashBackend(index) => crash_backend(kit, *index)?,
        Step::PauseReplay(index) => kit.pause_replay(*index)?,
        Step::ResumeReplay(index) => kit.resume_replay(*index)?,
        Step::Remove(index) => kit.remove_reader(*index)?,
        Step::Add => drop(kit.add_reader()?),
        Step::Disturb(index, disturbance) => kit.proxy(*index).set(*disturbance)?,
        Step::Heal(index) => kit.proxy(*index).heal()?,
        Step::Reset(index) => kit.proxy(*index).reset_all(),
        Step::HalfClose(index) => kit.proxy(*index).half_close(),
        Step::Arm(index, mishap, aim) => armed.push(kit.proxy(*index).arm(*mishap, aim.clone())),
        Step::Wait(time) => thread::sleep(*time),
    }
    Ok(())
}

/// Kills one of the processes that serve the load, as a bug in a function would.
fn crash_backend(kit: &PgCluster, index: usize) -> Result<(), Failed> {
    const BACKEND: &str = "SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'aurora'";
    let process: Option<i32> = kit.superuser(index)?.query_one(BACKEND, &[])?.try_get(0)?;
    let process = process.ok_or("no process serves the load")?;
    let status = Command::new("kill").args(["-s", "KILL", &process.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("kill {process}: {status}").into()) }
}

/// The reader that a fault is about, and another one.
///
/// # Errors
/// When there are not two readers.
pub(crate) fn readers(kit: &PgCluster, pick: usize) -> Result<[usize; 2], Failed> {
    match *kit.readers() {
        [first, second] if pick == 0 => Ok([first, second]),
        [first, second] => Ok([second, first]),
        ref others => Err(format!("there are the readers {others:?}, not two").into()),
    }
}
