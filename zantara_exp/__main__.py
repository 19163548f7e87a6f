"""Run as: python -m zantara_exp stage=train model=llama8b."""

from zantara_exp.cli.main import main

if __name__ == "__main__":
    main()
