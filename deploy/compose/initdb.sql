-- Once, when the volume is new: MLflow's tables lie in a database of their own.
create database mlflow;
