"""``shoal info``: what is in files."""

import pyarrow as pa
import pyarrow.parquet as pq


def _cells(line):
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_columns_sizes_and_plan(shoal_command, rows):
    result = shoal_command("info", rows, "--columns", "b", "--memory", "300MB", "--threads", 1)
    assert result.exit_code == 0, result.stderr
    lines = [_cells(line) for line in result.stdout.splitlines()]
    assert ["a", "float64", ""] in lines
    assert ["b", "float64", "yes"] in lines
    assert ["name", "not a number", ""] in lines
    n_bytes = sum(file.stat().st_size for file in rows.iterdir())
    assert f"{n_bytes / 1000:.3g} kB" in result.stdout
    assert "Plan for 200 rows of 8 B within 300 MB, 1 threads:" in result.stdout


def test_all_numbers_are_features_by_default(shoal_command, rows):
    assert shoal_command("info", rows).stdout.count(" yes ") == 3


def test_data_without_numbers(shoal_command, tmp_path):
    pq.write_table(pa.table({"name": ["x"]}), tmp_path / "text.parquet")
    result = shoal_command("info", tmp_path / "text.parquet")
    assert result.exit_code == 0, result.stderr
    assert "Plan" not in result.stdout


def test_a_file_that_is_not_there(shoal_command, tmp_path):
    result = shoal_command("info", tmp_path / "none.parquet")
    assert result.exit_code == 1
    assert result.stderr == f"shoal: No such file or folder: {tmp_path / 'none.parquet'}.\n"
