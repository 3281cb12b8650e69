//! A program that is nothing but a helper child of the loader, as `tetherscope` is with its first line.

fn main() {
    tetherscope_loader::run_if_child();
    eprintln!("this program only helps the tests of the loader");
    std::process::exit(2);
}
