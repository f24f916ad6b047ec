"""The night's evaluation and its gate, as an Airflow DAG (Airflow 3; for 2.x import BashOperator from
airflow.operators.bash). A gate that fails fails the task; one that is inconclusive skips it, and the last
line that the command prints is the task's XCom, ready for a chat message."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

INCONCLUSIVE = 2

with DAG(
    dag_id="cliffwatch_nightly",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["cliffwatch"],
) as dag:
    nightly = BashOperator(
        task_id="nightly",
        bash_command=(
            "/opt/cliffwatch/submit/nightly.sh --suite {{ var.value.cliffwatch_suite }}"
            " --output {{ var.value.cliffwatch_output }} --accept"
        ),
        skip_on_exit_code=INCONCLUSIVE,
        execution_timeout=timedelta(hours=6),
        retries=0,
        do_xcom_push=True,
    )
