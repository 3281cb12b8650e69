//! What plots are told, against the rows themselves.

use super::*;

fn row(frame: u64, bead: u32, x_nm: f64) -> Row {
    Row {
        frame,
        bead,
        time_ns: None,
        x_nm,
        y_nm: -x_nm,
        z_nm: f64::NAN,
        sigma_x_nm: f32::NAN,
        sigma_y_nm: f32::NAN,
        sigma_z_nm: f32::NAN,
        quality: 1.0,
        flags: 0,
        roi_x_px: 0,
        roi_y_px: 0,
    }
}

/// A wave that no block's borders fit.
fn x_of(frame: u64) -> f64 {
    (frame as f64 * 0.7).sin() * frame as f64
}

fn filled(n: u64, max_rows: usize) -> Arc<History> {
    let history = History::new(max_rows);
    for frame in 0..n {
        let rows = [row(frame, 0, x_of(frame)), row(frame, 1, 2.0 * x_of(frame))];
        history.push(&rows, |f| f as i64 * 10);
    }
    history
}

fn query(bead: u32, minus: Option<u32>, from: i64, to: i64, max_columns: u32) -> TraceQuery {
    TraceQuery { bead, minus, from_utc_ns: from, to_utc_ns: to, max_columns }
}

#[test]
fn columns_hold_the_smallest_and_largest_of_exactly_their_rows() {
    let n = 10_000;
    let history = filled(n, 1_000_000);
    for (from, to, max_columns) in [(0, i64::MAX, 7), (12_345, 67_891, 100), (5, 1_005, 1000), (0, 0, 3)] {
        let trace = history.trace(&query(0, None, from, to, max_columns));
        let wanted: Vec<u64> = (0..n).filter(|f| (from..=to).contains(&(*f as i64 * 10))).collect();
        assert!(trace.columns.len() <= max_columns as usize);
        let mut rest = &wanted[..];
        for c in &trace.columns {
            let (of_column, after) = rest.split_at(c.n_rows as usize);
            let xs = || of_column.iter().map(|f| x_of(*f));
            assert_eq!(c.x_nm.min, xs().fold(f64::INFINITY, f64::min));
            assert_eq!(c.x_nm.max, xs().fold(f64::NEG_INFINITY, f64::max));
            assert_eq!(c.y_nm.min, -c.x_nm.max);
            assert!(c.z_nm.min.is_nan(), "no z is no number");
            assert_eq!(
                (c.from_utc_ns, c.to_utc_ns),
                (of_column[0] as i64 * 10, of_column[of_column.len() - 1] as i64 * 10)
            );
            rest = after;
        }
        assert!(rest.is_empty(), "every row is in a column");
    }
}

#[test]
fn a_bead_is_shown_relative_to_another_frame_by_frame() {
    let history = filled(9000, 1_000_000);
    history.push(&[row(9000, 1, 5.0)], |f| f as i64 * 10);
    let trace = history.trace(&query(1, Some(0), 0, i64::MAX, 100_000));
    assert_eq!(trace.columns.len(), 9000, "only frames that both have");
    for (frame, c) in trace.columns.iter().enumerate() {
        assert_eq!(c.x_nm.min, 2.0 * x_of(frame as u64) - x_of(frame as u64));
    }
}

/// Rows minus a reference, asked for now and then while rows come and go, against a history that is asked for the first time.
#[test]
fn a_difference_that_grows_is_the_same_as_one_made_at_once() {
    // Smaller than what comes, so that old rows go.
    let max_rows = 30_000;
    let (grown, mut all) = (History::new(max_rows), Vec::new());
    for frame in 0..40_000_u64 {
        // Bead 1 is missing now and then, bead 2 begins later, and a frame without z has none.
        let mut rows = vec![row(frame, 0, x_of(frame))];
        rows.extend((frame % 7 != 3).then(|| row(frame, 1, 3.0 * x_of(frame + 1))));
        rows.extend((frame > 9_000).then(|| Row { z_nm: frame as f64, ..row(frame, 2, 1.0) }));
        grown.push(&rows, |f| f as i64 * 10);
        all.push(rows);
        if frame % 3_700 == 11 || frame == 39_999 {
            let once = History::new(max_rows);
            all.iter().for_each(|rows| once.push(rows, |f| f as i64 * 10));
            for (bead, minus, from, max_columns) in
                [(1, 0, 0, 50), (0, 1, 0, 100_000), (2, 1, frame as i64 * 5, 7), (0, 2, 0, 1300)]
            {
                let query = query(bead, Some(minus), from, i64::MAX, max_columns);
                let (a, b) = (grown.trace(&query), once.trace(&query));
                // As text: no z is no number, which is not equal to itself.
                assert_eq!(format!("{a:?}"), format!("{b:?}"), "bead {bead} minus {minus} at frame {frame}");
            }
        }
    }
    let oldest = grown.trace(&query(1, Some(0), 0, i64::MAX, 100)).columns[0].from_utc_ns;
    assert!(oldest > 0, "old rows went");
}

#[test]
fn a_difference_is_forgotten_with_its_beads() {
    let history = filled(100, 1_000_000);
    let asked = || history.trace(&query(1, Some(0), 0, i64::MAX, 100)).columns.len();
    assert_eq!(asked(), 100);
    history.forget(|bead| bead == 0);
    assert_eq!(asked(), 0);
    // Under the same number, another bead.
    history.push(&[row(100, 0, 1.0), row(100, 1, 9.0)], |f| f as i64 * 10);
    let trace = history.trace(&query(1, Some(0), 0, i64::MAX, 100));
    assert_eq!(trace.columns.iter().map(|c| c.x_nm.min).collect::<Vec<_>>(), [8.0]);
}

#[test]
fn the_oldest_rows_go_and_the_newest_stay() {
    let history = filled(50_000, 20_000);
    let kept = [0, 1].map(|bead| {
        let trace = history.trace(&query(bead, None, i64::MIN, i64::MAX, 1));
        let kept = i64::from(trace.columns[0].n_rows);
        assert_eq!(trace.newest_utc_ns, Some(499_990));
        assert_eq!(trace.oldest_utc_ns, Some((50_000 - kept) * 10));
        kept as usize
    });
    // Whole chunks go, of whichever bead has the oldest.
    let all = kept[0] + kept[1];
    assert!(
        (20_000..=20_000 + ROWS_PER_CHUNK).contains(&all) && kept[0].abs_diff(kept[1]) <= ROWS_PER_CHUNK,
        "{kept:?}"
    );
}

#[test]
fn a_bead_that_is_lost_is_counted_until_it_is_found() {
    let history = History::new(100);
    for (frame, x) in [(0, 1.0), (1, f64::NAN), (2, f64::NAN)] {
        history.push(&[row(frame, 3, x)], |_| 0);
    }
    let newest = history.newest()[&3];
    assert_eq!((newest.row.frame, newest.lost_for_frames), (2, 2));
    history.push(&[row(3, 3, 2.0)], |_| 0);
    assert_eq!(history.newest()[&3].lost_for_frames, 0);
    history.forget(|bead| bead == 3);
    assert!(history.newest().is_empty());
}

/// Measures, and asserts nothing: `cargo test --release -p tetherscope-core ten_beads -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn traces_of_ten_beads_with_a_million_rows_each() {
    let history = History::new(20_000_000);
    for frame in 0..1_000_000 {
        let rows: Vec<Row> = (0..10).map(|bead| row(frame, bead, x_of(frame) + f64::from(bead))).collect();
        history.push(&rows, |f| f as i64 * 10_000_000);
    }
    let end = 1_000_000 * 10_000_000;
    for (what, minus, from) in [
        ("all of it", None, 0),
        ("the last 30 s", None, end - 30_000_000_000),
        ("all of it, minus a reference", Some(9), 0),
        ("the last 30 s, minus a reference", Some(9), end - 30_000_000_000),
        ("all of it, minus a reference, again", Some(9), 0),
    ] {
        let began = std::time::Instant::now();
        let n: usize = (0..9).map(|bead| history.trace(&query(bead, minus, from, end, 1300)).columns.len()).sum();
        println!("{what}: {:.2} ms for 9 beads, {n} columns", began.elapsed().as_secs_f64() * 1e3);
    }
}
