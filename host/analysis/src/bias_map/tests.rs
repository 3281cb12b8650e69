//! Maps of made-up lookups, whose errors are known.

use super::*;

/// Planes every 100 nm from −1000 to 1000 nm.
fn planes() -> Vec<f64> {
    (-10..=10).map(|k| 100.0 * f64::from(k)).collect()
}

/// Profiles whose fringes shrink with z, so that no plane looks like another.
fn profiles(z_nm: &[f64]) -> Vec<f64> {
    z_nm.iter().flat_map(|z| (0..30).map(move |b| (f64::from(b) * (0.5 + z * 2e-4)).sin())).collect()
}

fn image(focus_nm: f64, z_nm: f64) -> LookedUp {
    LookedUp { focus_nm, z_nm, sigma_z_nm: 1.0 }
}

/// Two held-out frames a plane: one 1 nm above, one 3 nm above what is asked for.
fn halves(error: impl Fn(f64) -> f64) -> HeldOut {
    let images =
        planes().into_iter().flat_map(|z| [image(z, z + error(z) - 1.0), image(z, z + error(z) + 1.0)]).collect();
    HeldOut { scheme: HeldOutScheme::HalfOfFrames, table_z_nm: planes(), images }
}

#[test]
fn errors_are_counted_by_plane_with_their_sign() {
    let map = bias_map(&planes(), &profiles(&planes()), &[halves(|_| 2.0)]);
    assert_eq!((map.planes.len(), map.n_held_out, map.plane_step_nm), (21, 42, 100.0));
    assert!(map.planes.iter().all(|p| p.bias_nm == Some(2.0) && p.scatter_nm == Some(2_f64.sqrt()) && p.n == 2));
    assert_eq!((map.error_mean_nm, map.error_rms_nm, map.worst_plane_nm), (Some(2.0), Some(5_f64.sqrt()), Some(2.0)));
    assert_eq!((map.n_without_z, map.n_far, map.sigma_nm), (0, 0, Some(1.0)));
    assert!(map.falls_at_nm.is_empty() && map.ambiguous.is_empty());
    assert_eq!((map.scheme, map.between_scheme), (Some(HeldOutScheme::HalfOfFrames), None));
    assert_eq!(map.verdict.grade, Grade::Good);
    assert!(map.verdict.sentence.contains("2.2 nm rms from -1000 to 1000 nm"), "{}", map.verdict.sentence);
}

#[test]
fn a_sawtooth_between_planes_shows_at_its_place() {
    let images = (0..160).map(|i| -1000.0 + 12.5 * f64::from(i)).map(|f| {
        let place = (f / 100.0).rem_euclid(1.0);
        image(f, f + 15.0 * (std::f64::consts::TAU * place).sin())
    });
    let between = HeldOut { scheme: HeldOutScheme::BetweenPlanes, table_z_nm: planes(), images: images.collect() };
    let map = bias_map(&planes(), &profiles(&planes()), &[halves(|_| 0.0), between]);
    let at = |place: f64| map.between.iter().find(|b| b.place == place).unwrap();
    assert_eq!(map.between.iter().map(|b| b.n).collect::<Vec<_>>(), [20; 8]);
    assert!(at(0.0).bias_nm.abs() < 1e-9 && at(0.5).bias_nm.abs() < 1e-9);
    assert!((at(0.25).bias_nm - 15.0).abs() < 1e-9 && (at(0.75).bias_nm + 15.0).abs() < 1e-9);
    assert!((map.worst_between_nm.unwrap().abs() - 15.0).abs() < 1e-9);
    assert_eq!((map.between_step_nm, map.verdict.grade), (Some(100.0), Grade::Poor));
    assert!(map.verdict.sentence.contains("15 nm off between planes"), "{}", map.verdict.sentence);
}

#[test]
fn every_second_plane_is_an_upper_limit_and_never_condemns_by_its_bias_between() {
    let table_z_nm: Vec<f64> = planes().into_iter().step_by(2).collect();
    let images = planes().into_iter().skip(1).step_by(2).map(|z| image(z, z + 9.0)).collect();
    let second = HeldOut { scheme: HeldOutScheme::EverySecondPlane, table_z_nm, images };
    let map = bias_map(&planes(), &profiles(&planes()), std::slice::from_ref(&second));
    assert_eq!((map.scheme, map.between_step_nm), (Some(HeldOutScheme::EverySecondPlane), Some(200.0)));
    assert_eq!(map.between, [BetweenPlanes { place: 0.5, n: 10, bias_nm: 9.0, rms_nm: 9.0 }]);
    assert_eq!((map.coarse_rms_nm, map.verdict.grade), (Some(9.0), Grade::Good));
    assert!(map.verdict.sentence.contains("twice as far apart"), "{}", map.verdict.sentence);
    // The other half of the planes, from a table of its own.
    let table_z_nm: Vec<f64> = planes().into_iter().skip(1).step_by(2).collect();
    let images = planes().into_iter().step_by(2).map(|z| image(z, z + 7.0)).collect();
    let other = HeldOut { scheme: HeldOutScheme::EverySecondPlane, table_z_nm, images };
    let map = bias_map(&planes(), &profiles(&planes()), &[second.clone(), other]);
    assert_eq!(
        (map.planes.len(), map.n_held_out, map.worst_plane_nm),
        (19, 19, Some(9.0)),
        "the first and the last are out"
    );
    // Where halves can be had, the planes come from them.
    let both = bias_map(&planes(), &profiles(&planes()), &[halves(|_| 0.0), second]);
    assert_eq!((both.scheme, both.error_mean_nm), (Some(HeldOutScheme::HalfOfFrames), Some(0.0)));
    assert_eq!((both.coarse_rms_nm, both.between_scheme), (Some(9.0), Some(HeldOutScheme::EverySecondPlane)));
}

#[test]
fn images_without_z_and_far_off_are_counted_and_move_no_mean() {
    let mut held_out = halves(|_| 0.0);
    held_out.images[7].z_nm = f64::NAN;
    held_out.images[20].z_nm += 900.0;
    held_out.images.push(image(1500.0, 0.0));
    let map = bias_map(&planes(), &profiles(&planes()), &[held_out]);
    assert_eq!((map.n_held_out, map.n_without_z, map.n_far), (42, 1, 1), "what lies beyond the table does not count");
    assert!(map.error_rms_nm.unwrap() < 1.1 && map.planes.iter().all(|p| p.bias_nm.unwrap().abs() <= 1.0));
    assert_eq!((map.planes[3].n_lost, map.planes[10].n_lost), (1, 1));
    assert!(map.verdict.grade == Grade::Poor && map.verdict.sentence.contains("2 of 42"), "{}", map.verdict.sentence);
}

#[test]
fn z_that_falls_from_plane_to_plane_is_named() {
    let map = bias_map(&planes(), &profiles(&planes()), &[halves(|z| if z == 300.0 { 120.0 } else { 0.0 })]);
    assert_eq!(map.falls_at_nm, [300.0]);
    assert!(map.verdict.grade > Grade::Good && map.verdict.sentence.contains("falls"), "{}", map.verdict.sentence);
}

#[test]
fn scatter_beyond_the_methods_own_error_is_said_to_be_motion() {
    let images = planes().into_iter().flat_map(|z| [image(z, z - 30.0), image(z, z + 30.0)]).collect();
    let held_out = HeldOut { scheme: HeldOutScheme::HalfOfFrames, table_z_nm: planes(), images };
    let map = bias_map(&planes(), &profiles(&planes()), &[held_out]);
    assert!(map.verdict.sentence.contains("moved during the sweep"), "{}", map.verdict.sentence);
}

#[test]
fn planes_that_come_again_are_ambiguous_and_neighbours_are_not() {
    let z_nm: Vec<f64> = (0..40).map(|k| 50.0 * f64::from(k)).collect();
    let repeating: Vec<f64> = z_nm
        .iter()
        .flat_map(|z| (0..30).map(move |b| (f64::from(b) * 0.5 + z * std::f64::consts::TAU / 1000.0).sin()))
        .collect();
    let map = bias_map(&z_nm, &repeating, &[]);
    assert_eq!(map.ambiguous.len(), 40, "every plane comes again 1000 nm away");
    assert!(map.ambiguous.iter().all(|a| (a.focus_nm - a.like_nm).abs() == 1000.0 && a.correlation > 0.99));
    // Fine planes that all look alike, but ever less: nothing comes again.
    let fine: Vec<f64> = (0..40).map(|k| 5.0 * f64::from(k)).collect();
    assert!(bias_map(&fine, &profiles(&fine), &[]).ambiguous.is_empty());
    assert!(bias_map(&fine, &[], &[]).ambiguous.is_empty(), "without profiles nothing is known");
}

#[test]
fn without_held_out_frames_the_verdict_is_that_nothing_is_known() {
    let map = bias_map(&planes(), &profiles(&planes()), &[]);
    assert!(map.verdict.grade == Grade::Poor && map.verdict.sentence.starts_with("unknown"));
    let lost = HeldOut { images: planes().into_iter().map(|z| image(z, f64::NAN)).collect(), ..halves(|_| 0.0) };
    let map = bias_map(&planes(), &profiles(&planes()), &[lost]);
    assert!(map.verdict.sentence.contains("none of 21"), "{}", map.verdict.sentence);
}

#[test]
fn a_map_is_the_same_after_it_was_stored() {
    let mut held_out = halves(|z| z / 1024.0);
    held_out.images[7].z_nm = f64::NAN;
    held_out.images[8].z_nm = f64::NAN;
    held_out.images[9].z_nm = f64::NAN;
    let map = bias_map(&planes(), &profiles(&planes()), &[held_out]);
    let text = serde_json::to_string(&map).unwrap();
    assert_eq!(serde_json::from_str::<BiasMap>(&text).unwrap(), map);
    assert!(text.contains("half_of_frames") && map.planes[4].bias_nm.is_none());
}

#[test]
fn ends_of_the_table_where_nothing_is_found_are_no_lost_images_but_a_shorter_range() {
    let mut held_out = halves(|_| 0.0);
    for image in held_out.images.iter_mut().filter(|i| i.focus_nm.abs() > 700.0) {
        image.z_nm = f64::NAN;
    }
    let map = bias_map(&planes(), &profiles(&planes()), std::slice::from_ref(&held_out));
    assert_eq!((map.usable_nm, map.n_held_out, map.n_without_z), (Some((-700.0, 700.0)), 30, 0));
    assert_eq!((map.planes.len(), map.planes[2].n_lost), (21, 2), "the planes are all there");
    assert!(map.verdict.grade == Grade::Fair && map.verdict.sentence.contains("from -700 to 700 nm only"));
    held_out.images.iter_mut().filter(|i| i.focus_nm.abs() > 400.0).for_each(|i| i.z_nm = f64::NAN);
    assert_eq!(bias_map(&planes(), &[], &[held_out]).verdict.grade, Grade::Poor);
}

#[test]
fn one_lost_image_of_a_short_sweep_makes_its_table_fair_and_two_make_it_poor() {
    let mut held_out = halves(|_| 0.0);
    held_out.images[8].z_nm = f64::NAN;
    let map = bias_map(&planes(), &profiles(&planes()), std::slice::from_ref(&held_out));
    assert_eq!((map.n_without_z, map.verdict.grade), (1, Grade::Fair), "{}", map.verdict.sentence);
    held_out.images[10].z_nm = f64::NAN;
    assert_eq!(bias_map(&planes(), &profiles(&planes()), &[held_out]).verdict.grade, Grade::Poor);
}
